using Microsoft.Extensions.Options;
using Platform;

namespace Voting;

/// <summary>The module's tables: surveys in the control database, everything of a voter key in its shard.</summary>
internal sealed class VotingDatabase(ShardMap map, IOptions<DatabaseOptions> options)
    : ModuleDatabase("voting", map, options);
