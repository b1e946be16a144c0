using System.ComponentModel.DataAnnotations;
using Npgsql;

namespace Platform;

/// <summary>A setting that Npgsql can read; empty is another's business. Nothing is connected to.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NpgsqlConnectionStringAttribute : ValidationAttribute
{
    public override bool IsValid(object? value)
    {
        try
        {
            return value is null or "" || new NpgsqlConnectionStringBuilder((string)value).Host is { Length: > 0 };
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            return false;
        }
    }
}
