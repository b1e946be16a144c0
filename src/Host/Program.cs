using Host;

return await CommandLine.RunAsync(args);
