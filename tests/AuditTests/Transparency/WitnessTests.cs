using System.Globalization;
using System.Net;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>The witness, which shares no code with the product, on what the product writes; over HTTP.</summary>
public sealed class WitnessTests : IAsyncLifetime
{
    private const string Name = "witness.example/one";
    private const string Origin = "voting.example/votes-07";

    private static readonly NoteSigner Log = Signers.Log(Origin);
    private static readonly NoteSigner Renewed = Signers.Log(Origin, number: 1);
    private static readonly NoteSigner Second = Signers.Log("voting.example/votes-08");

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-witness-");
    private WitnessProcess _witness = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private VerifierKey Key =>
        VerifierKey.TryParse(_witness.VerifierKey, out var key) ? key : throw new InvalidDataException();

    public async ValueTask InitializeAsync() => _witness = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _witness.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task It_signs_what_only_grew_and_remembers_it_when_it_was_killed()
    {
        var log = GrownLog.Of(300);
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);
        var sizes = new[] { 0, 0, 1, 2, 2, 255, 256, 300, 300 };
        for (var (i, last) = (0, 0); i < sizes.Length; last = sizes[i++])
        {
            var checkpoint = Checkpoint(log, sizes[i]);
            var (status, body, _) = await AddAsync(last, await ProofAsync(log, last, sizes[i]), checkpoint);
            Assert.Equal((HttpStatusCode.OK, sizes[i]), (status, sizes[i]));
            Assert.True(WitnessAnswer.TryCosignatures(body, checkpoint.Checkpoint, Key, out var lines));
            Assert.InRange(
                DateTimeOffset.FromUnixTimeSeconds((long)Assert.Single(lines).WitnessTime), before,
                DateTimeOffset.UtcNow);
        }

        var key = _witness.VerifierKey;
        await _witness.DisposeAsync();
        _witness = await StartAsync();

        Assert.Equal(key, _witness.VerifierKey);
        await RefusesAsync(HttpStatusCode.Conflict, 0, [], Checkpoint(log, 1), "300\n");
        // Another log, and another key of the log that signs beside the first.
        var other = SignedCheckpoint.Sign(new(Second.Verifier.Name, 3, log.RootAt(3)), Second);
        Assert.Equal(HttpStatusCode.OK, (await AddAsync(0, [], other)).Status);
        log.Grow(1);
        var both = SignedCheckpoint.Sign(new(Origin, 301, log.Root), Renewed, Log);
        Assert.Equal(HttpStatusCode.OK, (await AddAsync(300, await ProofAsync(log, 300, 301), both)).Status);
    }

    [Fact]
    public async Task It_refuses_everything_else_and_says_what_it_signed_last()
    {
        var log = GrownLog.Of(20);
        var ten = Checkpoint(log, 10);
        Assert.Equal(HttpStatusCode.OK, (await AddAsync(0, [], ten)).Status);
        var proof = await ProofAsync(log, 10, 20);
        var twenty = Checkpoint(log, 20);

        await RefusesAsync(HttpStatusCode.Conflict, 0, [], twenty, "10\n");
        await RefusesAsync(HttpStatusCode.Conflict, 12, await ProofAsync(log, 12, 20), twenty, "10\n");
        await RefusesAsync(HttpStatusCode.BadRequest, 21, [], twenty);
        await RefusesAsync(HttpStatusCode.UnprocessableEntity, 10, [], twenty);
        await RefusesAsync(HttpStatusCode.UnprocessableEntity, 10, proof[1..], twenty);
        await RefusesAsync(HttpStatusCode.UnprocessableEntity, 10, [.. proof, proof[0]], twenty);
        // The same size with another tree, and a larger tree with another beginning.
        var fork = new TreeFrontier();
        fork.Append(GrownLog.Entry(7));
        fork.Append([.. log.Entries.Skip(1).Take(9)]);
        var forked = SignedCheckpoint.Sign(new(Origin, 10, fork.Root), Log);
        await RefusesAsync(HttpStatusCode.Conflict, 10, [], forked, "10\n");
        fork.Append([.. log.Entries.Skip(10)]);
        await RefusesAsync(
            HttpStatusCode.UnprocessableEntity, 10, proof, SignedCheckpoint.Sign(new(Origin, 20, fork.Root), Log));
        // Signed by nobody whom it knows; by a key with a wrong signature beside a right one; an unknown log.
        var unknown = SignedCheckpoint.Sign(new("elsewhere/log", 1, log.RootAt(1)), Signers.Log("elsewhere/log"));
        await RefusesAsync(HttpStatusCode.NotFound, 0, [], unknown);
        Assert.True(SignedCheckpoint.TryParse(
            SignedNote.Sign(twenty.Checkpoint.Text, Second).ToString(), out var foreign));
        await RefusesAsync(HttpStatusCode.Forbidden, 10, proof, foreign);
        var wrong = Log.Sign(ten.Checkpoint.Text);
        await RefusesAsync(HttpStatusCode.Forbidden, 10, proof, twenty.With(wrong));

        var body = new WitnessRequest(10, proof, twenty).ToString();
        foreach (var spoilt in new[]
        {
            "", "old 10\n", body[1..], body[..^1], body.Replace("old 10", "old 010", StringComparison.Ordinal),
            body.Replace("\n20\n", "\n020\n", StringComparison.Ordinal), $"{body}\n",
            body.Replace("\n", "\r\n", StringComparison.Ordinal),
            body.Replace("\n\n", "\nAAAA\n\n", StringComparison.Ordinal),
        })
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(spoilt)).Status);
        }

        // None of these moved it.
        Assert.Equal(HttpStatusCode.OK, (await AddAsync(10, proof, twenty)).Status);
    }

    [Fact]
    public async Task Of_two_trees_at_once_it_signs_one()
    {
        var log = GrownLog.Of(8);
        var answers = await Task.WhenAll(Enumerable.Range(1, 8).Select(size => AddAsync(0, [], Checkpoint(log, size))));

        var signed = Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(answers.Where(answer => answer != signed), answer =>
        {
            Assert.Equal(HttpStatusCode.Conflict, answer.Status);
            Assert.True(WitnessAnswer.TrySize(answer.Body, out var size) && size == Array.IndexOf(answers, signed) + 1);
        });
    }

    [Fact]
    public async Task It_does_not_start_where_it_could_sign_a_second_tree()
    {
        var refusal = await Assert.ThrowsAnyAsync<Exception>(StartAsync);
        Assert.Contains("cannot work", refusal.Message, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, (await AddAsync(0, [], Checkpoint(GrownLog.Of(1), 1))).Status);
        await _witness.DisposeAsync();
        var file = Assert.Single(Directory.GetFiles(Path.Combine(_directory.FullName, "state"), "*.checkpoint"));
        await File.WriteAllTextAsync(file, "", Cancel);

        refusal = await Assert.ThrowsAnyAsync<Exception>(StartAsync);
        Assert.Contains(Origin, refusal.Message, StringComparison.Ordinal);
    }

    private static SignedCheckpoint Checkpoint(GrownLog log, int size) =>
        SignedCheckpoint.Sign(new(Origin, size, log.RootAt(size)), Log);

    private static ValueTask<Digest[]> ProofAsync(GrownLog log, int earlier, int size) =>
        TreeProofs.ConsistencyAsync(earlier, size, log.ReadAsync, Cancel);

    private Task<WitnessProcess> StartAsync() => WitnessProcess.StartAsync(
        _directory.FullName, Name,
        [Log.Verifier.ToString(), Renewed.Verifier.ToString(), Second.Verifier.ToString()], Cancel);

    private async Task RefusesAsync(
        HttpStatusCode status, int old, Digest[] proof, SignedCheckpoint checkpoint, string? size = null)
    {
        var answer = await AddAsync(old, proof, checkpoint);
        Assert.Equal(status, answer.Status);
        if (size is null) return;
        Assert.Equal((size, WitnessAnswer.SizeMediaType), (answer.Body, answer.MediaType));
        Assert.True(WitnessAnswer.TrySize(answer.Body, out var read));
        Assert.Equal(size.TrimEnd(), read.ToString(CultureInfo.InvariantCulture));
    }

    private Task<(HttpStatusCode Status, string Body, string? MediaType)> AddAsync(
        int old, Digest[] proof, SignedCheckpoint checkpoint) =>
        PostAsync(new WitnessRequest(old, proof, checkpoint).ToString());

    private async Task<(HttpStatusCode Status, string Body, string? MediaType)> PostAsync(string body)
    {
        using var answer = await _witness.Client.PostAsync("add-checkpoint", new StringContent(body), Cancel);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel),
            answer.Content.Headers.ContentType?.MediaType);
    }
}
