using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// A section of the settings and the class that it is bound to: what the check of unknown keys goes by.
/// </summary>
public sealed record SettingsSection(string Path, Type Type);

/// <summary>
/// Settings are bound and checked by every process alike, whatever its roles, before anything starts.
/// </summary>
public static class Settings
{
    /// <summary>
    /// Binds <typeparamref name="T"/> to a section and has it checked, data annotations included, at start.
    /// </summary>
    public static OptionsBuilder<T> AddSettings<T>(this IServiceCollection services, string path)
        where T : class
    {
        services.AddSingleton(new SettingsSection(path, typeof(T)));
        return services.AddOptions<T>().BindConfiguration(path).ValidateDataAnnotations().ValidateOnStart();
    }

    /// <summary>Checks all registered settings, unknown keys of our sections included.</summary>
    /// <exception cref="InvalidSettingsException">The message is one line that says what to set.</exception>
    public static void Check(IServiceProvider services)
    {
        var sections = services.GetServices<SettingsSection>().ToArray();
        RefuseUnknownKeys(services.GetRequiredService<IConfiguration>(), sections);
        Explained(sections, () =>
        {
            services.GetService<IStartupValidator>()?.Validate();
            // The shards are checked against the log's size, which no single section can do.
            return services.GetService<ShardMap>();
        });
    }

    /// <summary>Does what may meet a wrong setting before all are checked: the server takes its own early.</summary>
    /// <exception cref="InvalidSettingsException">As of <see cref="Check"/>.</exception>
    public static T Explained<T>(IServiceCollection services, Func<T> build) =>
        Explained([.. services.Select(service => service.ImplementationInstance).OfType<SettingsSection>()], build);

    private static T Explained<T>(SettingsSection[] sections, Func<T> build)
    {
        try
        {
            return build();
        }
        catch (OptionsValidationException e)
        {
            throw new InvalidSettingsException(
                string.Join(' ', e.Failures.Select(failure => Name(failure, e, sections))));
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            throw new InvalidSettingsException(string.Join(' ', e.InnerExceptions.Cast<OptionsValidationException>()
                .SelectMany(inner => inner.Failures.Select(failure => Name(failure, inner, sections)))));
        }
        catch (InvalidOperationException e)
            when (e.InnerException is FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidSettingsException(e.Message);
        }
    }

    private static string Name(string failure, OptionsValidationException e, SettingsSection[] sections)
    {
        var path = sections.FirstOrDefault(section => section.Type == e.OptionsType)?.Path ?? e.OptionsType.Name;
        // "DataAnnotation validation failed for 'X' members: 'A' with the error: 'E'." says the class, not the key.
        var said = failure.Split("with the error: ", 2);
        var text = said.Length == 2 ? said[1].Trim().Trim('.').Trim('\'') : failure;
        // A message that names the key needs no section before it.
        var named = text.Contains("__", StringComparison.Ordinal) ? text : $"{path.Replace(":", "__")}: {text}";
        return $"{named.TrimEnd('.')}.";
    }

    private static void RefuseUnknownKeys(IConfiguration configuration, SettingsSection[] sections)
    {
        var known = sections.SelectMany(section => Keys(section.Path, section.Type)).ToArray();
        var roots = sections.Select(section => section.Path.Split(':')[0])
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in configuration.AsEnumerable())
        {
            if (value is null || !roots.Contains(key.Split(':')[0])) continue;
            if (known.Any(pattern => Matches(pattern, key))) continue;
            var nearest = known.MinBy(pattern => Distance(pattern, key));
            throw new InvalidSettingsException(
                $"There is no setting {key.Replace(":", "__")}; did you mean {nearest?.Replace(":", "__")}?");
        }
    }

    private static IEnumerable<string> Keys(string path, Type type)
    {
        if (type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(TimeSpan)
            || type == typeof(decimal) || type == typeof(DateTimeOffset) || type == typeof(Uri))
        {
            return [path];
        }

        if (Nullable.GetUnderlyingType(type) is { } inner) return Keys(path, inner);
        if (type.IsArray) return Keys($"{path}:*", type.GetElementType()!);
        if (type.IsGenericType) return Keys($"{path}:*", type.GetGenericArguments()[^1]);
        return type.GetProperties().Where(property => property.CanWrite)
            .SelectMany(property => Keys($"{path}:{property.Name}", property.PropertyType));
    }

    private static bool Matches(string pattern, string key)
    {
        var (expected, given) = (pattern.Split(':'), key.Split(':'));
        return expected.Length == given.Length && expected.Zip(given)
            .All(part => part.First == "*" || part.First.Equals(part.Second, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Levenshtein's edit distance: enough to name the key that was probably meant.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]);
                var substitution = diagonal + (same ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[b.Length];
    }
}

/// <summary>Settings with which the process must not start. The message is one line for the operator.</summary>
public sealed class InvalidSettingsException(string message) : Exception(message.ReplaceLineEndings(" "));
