using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>The platform's own tables, in the control schema <c>platform</c>.</summary>
internal sealed class PlatformDatabase(ShardMap map, IOptions<DatabaseOptions> options)
    : ModuleDatabase("platform", map, options);
