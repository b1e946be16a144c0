using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Platform;

/// <summary>Signs JSON as a compact JWS (RFC 7515).</summary>
public static class Jws
{
    /// <summary>Signs a payload.</summary>
    /// <param name="key">Its <c>kid</c> and <c>alg</c> go into the header.</param>
    /// <param name="type">The header's <c>typ</c>, such as <c>at+jwt</c>: what kind of statement this is.</param>
    /// <param name="payload">UTF-8 JSON; signed as it is.</param>
    public static string Sign(SigningKey key, string type, ReadOnlySpan<byte> payload)
    {
        var header = Header(key, type);
        var length = header.Length + 1 + Base64Url.GetEncodedLength(payload.Length);
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Encoding.ASCII.GetBytes(header, buffer);
            buffer[header.Length] = (byte)'.';
            Base64Url.EncodeToUtf8(payload, buffer.AsSpan(header.Length + 1));
            var signed = buffer.AsSpan(0, length);
            return $"{Encoding.ASCII.GetString(signed)}.{Base64Url.EncodeToString(key.Sign(signed))}";
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <returns>The header as it stands in what <see cref="Sign(SigningKey, string, ReadOnlySpan{byte})"/> makes:
    /// base64url.</returns>
    public static string Header(SigningKey key, string type)
    {
        // By the default encoder the + of every such type would be spelt as an escape.
        var typ = JsonEncodedText.Encode(type, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        var header = $$"""{"alg":"{{key.JwsAlgorithm}}","typ":"{{typ}}","kid":"{{key.KeyId}}"}""";
        return Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header));
    }

    /// <summary>Signs the object whose members <paramref name="writeMembers"/> writes.</summary>
    public static string Sign(SigningKey key, string type, Action<Utf8JsonWriter> writeMembers)
    {
        var payload = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            writeMembers(json);
            json.WriteEndObject();
        }

        return Sign(key, type, payload.WrittenSpan);
    }
}
