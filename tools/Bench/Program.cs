using System.Text;
using Bench;

// The table's signs, wherever the machine's language is not set.
Console.OutputEncoding = new UTF8Encoding(false);
return args switch
{
    [EchoServer.Verb] => await EchoServer.RunAsync(),
    _ => await CommandLine.RunAsync(args),
};
