using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Platform;

/// <summary>The doors of a process: each has its own port, and an endpoint answers behind one of them only.</summary>
public enum Listener
{
    /// <summary>For everybody.</summary>
    Public,

    /// <summary>For staff: never reachable from outside.</summary>
    Internal,

    /// <summary>For the machines that run us: health, metrics.</summary>
    Management,
}

/// <summary>Says behind which door an endpoint answers. An endpoint without it answers nowhere.</summary>
public sealed record ListenerMetadata(Listener Listener);

/// <summary>Ties endpoints to listeners.</summary>
public static class ListenerRouting
{
    /// <summary>The endpoint or group answers on that listener only; elsewhere it is a 404.</summary>
    public static TBuilder OnListener<TBuilder>(this TBuilder builder, Listener listener)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new ListenerMetadata(listener));
}

/// <summary>Which listener a connection came in by: set on the connection, so no header can change it.</summary>
internal sealed record ListenerFeature(Listener Listener);

/// <summary>
/// Splits the routing tree by listener before methods are looked at, so that not even a
/// 405 tells of an internal address.
/// </summary>
internal sealed class ListenerMatcherPolicy : MatcherPolicy, IEndpointComparerPolicy, INodeBuilderPolicy
{
    public override int Order => -10_000;

    public IComparer<Endpoint> Comparer { get; } =
        Comparer<Endpoint>.Create((a, b) => ListenerOf(a).CompareTo(ListenerOf(b)));

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => true;

    public IReadOnlyList<PolicyNodeEdge> GetEdges(IReadOnlyList<Endpoint> endpoints) =>
        [.. endpoints.GroupBy(ListenerOf).Select(group => new PolicyNodeEdge(group.Key, [.. group]))];

    public PolicyJumpTable BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges)
    {
        var destinations = Enumerable.Repeat(exitDestination, Enum.GetValues<Listener>().Length).ToArray();
        foreach (var edge in edges)
        {
            if (edge.State is int and >= 0) destinations[(int)edge.State] = edge.Destination;
        }

        return new JumpTable(exitDestination, destinations);
    }

    private static int ListenerOf(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<ListenerMetadata>() is { } said ? (int)said.Listener : -1;

    private sealed class JumpTable(int exit, int[] destinations) : PolicyJumpTable
    {
        public override int GetDestination(HttpContext context) =>
            context.Features.Get<ListenerFeature>() is { } door ? destinations[(int)door.Listener] : exit;
    }
}
