using System.Text;
using Demo;

// The report's signs, wherever the machine's language is not set.
Console.OutputEncoding = new UTF8Encoding(false);
return await CommandLine.RunAsync(args);
