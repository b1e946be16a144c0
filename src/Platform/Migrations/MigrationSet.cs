using System.Reflection;

namespace Platform;

/// <summary>
/// A module's schema, as numbered, forward-only SQL files embedded in its assembly:
/// <c>Migrations/Control</c> for the control database, <c>Migrations/Shard</c> for each shard, where
/// <c>$schema$</c> stands for the module's schema there.
/// </summary>
/// <param name="Module">The module's name in lower case.</param>
/// <param name="Assembly">Where the files are embedded.</param>
public sealed record MigrationSet(string Module, Assembly Assembly);
