namespace Audit;

/// <summary>Files on their way into a directory's archive.</summary>
internal static class IncomingFiles
{
    /// <summary>
    /// Removes what is left of puts whose process ended in the middle. A put that is going on has its file locked; in
    /// the moment before it has, and in the one before the file comes to its place, the put may fail, and is repeated.
    /// </summary>
    /// <param name="directory">Where they are written.</param>
    public static void RemoveLeftovers(string directory)
    {
        foreach (var left in Directory.GetFiles(directory))
        {
            try
            {
                using var file = new FileStream(left, FileMode.Open, FileAccess.Read, FileShare.None);
                File.Delete(left);
            }
            catch (IOException)
            {
                // It is being put, or has come to its place meanwhile.
            }
        }
    }
}
