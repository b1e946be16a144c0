using Platform;

namespace Identity;

/// <summary>A sign-in by the app. The forms that a provider's code or access token open are not taken.</summary>
/// <param name="IdToken">The provider's ID token.</param>
/// <param name="Nonce">What the app had the provider put into it.</param>
/// <param name="DeviceId">Binds the session to the device, or null.</param>
internal sealed record SignInRequest(
    string? IdToken = null, string? Nonce = null, string? Code = null, string? CodeVerifier = null,
    string? RedirectUri = null, string? AccessToken = null, string? TurnstileToken = null, string? Fingerprint = null,
    string? DeviceId = null)
{
    /// <exception cref="MalformedRequestException">A member is missing, too long or not taken.</exception>
    public void Check()
    {
        var errors = new Dictionary<string, string[]>();
        foreach (var (name, value) in new[]
        {
            ("code", Code), ("codeVerifier", CodeVerifier), ("redirectUri", RedirectUri), ("accessToken", AccessToken),
        })
        {
            if (value is not null) errors[name] = ["This way in is not open here: send idToken and nonce."];
        }

        Require("idToken", IdToken, 16 * 1024);
        Require("nonce", Nonce, 512);
        Limit("turnstileToken", TurnstileToken, 2048);
        Limit("fingerprint", Fingerprint, 32 * 1024);
        Limit("deviceId", DeviceId, MemberText.DeviceIdLengthMax);
        if (errors.Count > 0)
        {
            throw new MalformedRequestException(
                Problem.MalformedRequest, "A sign-in is sent as idToken and nonce.", errors);
        }

        void Require(string name, string? value, int lengthMax)
        {
            if (string.IsNullOrEmpty(value)) errors[name] = ["It is required."];
            else Limit(name, value, lengthMax);
        }

        void Limit(string name, string? value, int lengthMax)
        {
            if (MemberText.Fault(value, lengthMax) is { } fault) errors[name] = [fault];
        }
    }
}
