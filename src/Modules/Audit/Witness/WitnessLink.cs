using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Audit;

/// <summary>What a witness said to a checkpoint.</summary>
internal abstract record WitnessReply
{
    private WitnessReply() { }

    /// <param name="Line">Its signature, verified.</param>
    internal sealed record Signed(NoteSignature Line) : WitnessReply;

    /// <param name="Size">The size that it signed last.</param>
    internal sealed record OtherSize(long Size) : WitnessReply;

    /// <param name="Reason">One line for the operator; says nothing that a witness could have made up.</param>
    internal sealed record Refused(string Reason) : WitnessReply;
}

/// <summary>Speaks to witnesses: C2SP tlog-witness. Safe for use by many threads.</summary>
internal sealed class WitnessLink : IDisposable
{
    // A hundred signatures are some 20 KiB.
    private const int AnswerSizeBytesMax = 64 * 1024;

    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        MaxResponseContentBufferSize = AnswerSizeBytesMax,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Asks a witness to sign.</summary>
    /// <param name="witness">Where it is.</param>
    /// <param name="key">Its key.</param>
    /// <param name="request">The checkpoint, and the proof from what it signed before.</param>
    /// <param name="timeout">Longest wait.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<WitnessReply> AddAsync(
        Uri witness, VerifierKey key, WitnessRequest request, TimeSpan timeout, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(timeout);
        try
        {
            using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(request.ToString()));
            content.Headers.ContentType = new MediaTypeHeaderValue("text/plain") { CharSet = "utf-8" };
            using var answer = await _http.PostAsync(witness, content, limit.Token);
            var body = await answer.Content.ReadAsStringAsync(limit.Token);
            return Read(answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, body, key, request);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidOperationException)
        {
            return new WitnessReply.Refused("it cannot be reached");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new WitnessReply.Refused("it did not answer in time");
        }
    }

    public void Dispose() => _http.Dispose();

    private static WitnessReply Read(
        HttpStatusCode status, string? type, string body, VerifierKey key, WitnessRequest request)
    {
        if (status is HttpStatusCode.OK)
        {
            return WitnessAnswer.TryCosignatures(body, request.Checkpoint.Checkpoint, key, out var lines)
                ? new WitnessReply.Signed(lines[0])
                : new WitnessReply.Refused("its signature is not by the key that is set for it");
        }

        if (status is HttpStatusCode.Conflict && type == WitnessAnswer.SizeMediaType
            && WitnessAnswer.TrySize(body, out var size))
        {
            return new WitnessReply.OtherSize(size);
        }

        return new WitnessReply.Refused(status switch
        {
            HttpStatusCode.NotFound => "it does not know the log",
            HttpStatusCode.Forbidden => "it does not know the log's key",
            HttpStatusCode.UnprocessableEntity => "it has signed another tree of this log",
            _ => $"it answered {(int)status}",
        });
    }
}
