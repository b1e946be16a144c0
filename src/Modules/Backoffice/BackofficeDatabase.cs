using Microsoft.Extensions.Options;
using Platform;

namespace Backoffice;

/// <summary>The module's tables, in the control database.</summary>
internal sealed class BackofficeDatabase(ShardMap map, IOptions<DatabaseOptions> options)
    : ModuleDatabase("backoffice", map, options);
