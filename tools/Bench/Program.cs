using System.Globalization;
using System.Text;
using Bench;

// The table's signs, wherever the machine's language is not set.
Console.OutputEncoding = new UTF8Encoding(false);
return args switch
{
    [EchoServer.Verb] => await EchoServer.RunAsync(),
    [FrameServer.Verb] => await FrameServer.RunAsync(),
    [Readers.Verb, var count, var port, var path] => await Readers.RunAsync(
        int.Parse(count, CultureInfo.InvariantCulture), int.Parse(port, CultureInfo.InvariantCulture), path),
    _ => await CommandLine.RunAsync(args),
};
