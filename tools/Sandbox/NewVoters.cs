using System.Security.Cryptography;
using System.Threading.Channels;

namespace Sandbox;

/// <summary>Makes voters: new subjects at the provider, signed in at the platform like anybody else.</summary>
internal sealed class NewVoters(Providers providers, IdTokens tokens, PlatformSignIn platform)
{
    /// <summary>Voters in the order in which their sign-ins end. Ends early with the first failure.</summary>
    /// <exception cref="SignInFailedException">The platform refused or failed; earlier voters are real.</exception>
    public async IAsyncEnumerable<Voter> SignInAsync(
        int count, Uri at, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        // A reader that is slower than the platform slows the sign-ins, too.
        var done = Channel.CreateBounded<Voter>(PlatformSignIn.ConcurrencyMax);
        var work = FillAsync(count, at, done.Writer, stop.Token);
        try
        {
            await foreach (var voter in done.Reader.ReadAllAsync(cancel)) yield return voter;
        }
        finally
        {
            await stop.CancelAsync();
            await work;
        }
    }

    private async Task FillAsync(int count, Uri at, ChannelWriter<Voter> done, CancellationToken stop)
    {
        Exception? failure = null;
        try
        {
            var each = new ParallelOptions
            {
                MaxDegreeOfParallelism = PlatformSignIn.ConcurrencyMax,
                CancellationToken = stop,
            };
            await Parallel.ForAsync(0, count, each, async (_, cancel) =>
            {
                var nonce = RandomNumberGenerator.GetHexString(32, lowercase: true);
                var google = providers.Google;
                var idToken = tokens.Mint(google, google.NewSubject(), nonce, IdTokens.Audience, Flaws.None);
                await done.WriteAsync(await platform.SignInAsync(at, idToken, nonce, cancel), cancel);
            });
        }
        catch (Exception e) when (e is SignInFailedException or OperationCanceledException)
        {
            failure = e;
        }
        finally
        {
            done.Complete(failure);
        }
    }
}
