using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Platform;

namespace ArchitectureTests;

/// <summary>A sweep over all endpoints of all roles, so that nobody has to remember.</summary>
public sealed class EndpointTests
{
    public static TheoryData<Role> EveryRole =>
        [Role.Api, Role.Consumer, Role.Sse, Role.Audit, Role.Backoffice, Role.All];

    [Theory, MemberData(nameof(EveryRole))]
    public async Task Every_endpoint_says_who_may_call_it_and_behind_which_listener_it_answers(Role role)
    {
        var endpoints = await Application.EndpointsAsync(role);

        Assert.NotEmpty(endpoints);
        Faults.None(endpoints.SelectMany(EndpointFaults));
    }

    [Fact]
    public async Task All_listeners_have_endpoints()
    {
        var endpoints = await Application.EndpointsAsync(Role.All);

        Assert.Equal(Enum.GetValues<Listener>(), endpoints.SelectMany(Listeners).Distinct().Order());
        Assert.Contains(endpoints, endpoint => Route(endpoint).StartsWith("/v1/internal/", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/v1/surveys", null, false, false)]
    [InlineData("/v1/surveys", Listener.Public, false, false)]
    [InlineData("/v1/surveys", null, true, false)]
    [InlineData("/v1/internal/surveys", Listener.Public, false, true)]
    [InlineData("/v1/internal/surveys", Listener.Internal, true, false)]
    [InlineData("/v1/surveys", Listener.Internal, false, true)]
    [InlineData("/v1/surveys", Listener.Management, true, false)]
    [InlineData("/metrics", Listener.Public, true, false)]
    public void Refuses_an_endpoint_that_leaves_it_open(string route, Listener? listener, bool anybody, bool staff) =>
        Assert.NotEmpty(EndpointFaults(Planted(route, listener, anybody, staff)));

    [Theory]
    [InlineData("/v1/surveys", Listener.Public, true, false)]
    [InlineData("/v1/internal/surveys", Listener.Internal, false, true)]
    [InlineData("/health/live", Listener.Management, true, false)]
    public void Takes_one_that_says_both(string route, Listener? listener, bool anybody, bool staff) =>
        Assert.Empty(EndpointFaults(Planted(route, listener, anybody, staff)));

    [Fact]
    public void Refuses_an_endpoint_behind_two_listeners() => Assert.NotEmpty(EndpointFaults(Planted(
        "/v1/surveys", Listener.Public, anybody: true, staff: false, new ListenerMetadata(Listener.Management))));

    private static IEnumerable<string> EndpointFaults(Endpoint endpoint)
    {
        var (name, route) = (endpoint.DisplayName, Route(endpoint));
        var listeners = Listeners(endpoint).Distinct().ToArray();
        if (!endpoint.Metadata.Any(said => said is IAuthorizeData or IAllowAnonymous or AuthorizationPolicy))
            yield return $"{name} neither requires nor waives authorization.";
        if (listeners is not [var listener])
        {
            yield return $"{name} answers behind {listeners.Length} listeners.";
            yield break;
        }

        string[] roots = listener switch
        {
            Listener.Internal => ["/v1/internal/", "/openapi/internal", "/openapi/{documentName:length(8)}"],
            Listener.Management => ["/health/", "/metrics"],
            _ => ["/v1/", "/.well-known/", "/openapi/"],
        };
        if (!roots.Any(root => $"{route}/".StartsWith(root, StringComparison.Ordinal)))
            yield return $"{name} has no place behind the listener {listener}.";

        if (!route.StartsWith("/v1/internal", StringComparison.Ordinal)) yield break;
        if (listener is not Listener.Internal) yield return $"{name} is reached from outside.";
        if (endpoint.Metadata.OfType<IAllowAnonymous>().Any() || !DemandsStaff(endpoint))
            yield return $"{name} is not for staff alone.";
    }

    private static bool DemandsStaff(Endpoint endpoint) => endpoint.Metadata.OfType<AuthorizationPolicy>()
        .Any(policy => policy.AuthenticationSchemes.SequenceEqual(Access.Staff().AuthenticationSchemes));

    private static IEnumerable<Listener> Listeners(Endpoint endpoint) =>
        endpoint.Metadata.OfType<ListenerMetadata>().Select(said => said.Listener);

    private static string Route(Endpoint endpoint) => endpoint is RouteEndpoint { RoutePattern.RawText: { } text }
        ? $"/{text.TrimStart('/')}" : "/";

    private static RouteEndpoint Planted(
        string route, Listener? listener, bool anybody, bool staff, params object[] more) => new(
        _ => Task.CompletedTask, RoutePatternFactory.Parse(route), 0,
        new(
        [
            .. listener is { } said ? [new ListenerMetadata(said)] : Array.Empty<object>(),
            .. anybody ? [new AllowAnonymousAttribute()] : Array.Empty<object>(),
            .. staff ? [new AuthorizeAttribute(), Access.Staff()] : Array.Empty<object>(),
            .. more,
        ]),
        "planted");
}
