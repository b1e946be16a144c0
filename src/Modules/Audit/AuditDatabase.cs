using Microsoft.Extensions.Options;
using Platform;

namespace Audit;

/// <summary>The module's tables, in the control database.</summary>
internal sealed class AuditDatabase(ShardMap map, IOptions<DatabaseOptions> options)
    : ModuleDatabase("audit", map, options);
