using System.ComponentModel.DataAnnotations;
using Audit;

namespace AuditTests;

/// <summary>An archive that keeps too little, or that can never be reached, is refused at launch.</summary>
public sealed class ArchiveOptionsTests
{
    [Fact]
    public void Nothing_set_is_right_and_ten_years() => Assert.Multiple(
        () => Assert.Empty(Faults(new())),
        () => Assert.InRange(new S3ArchiveOptions().RetentionDays, 3_652, 3_653));

    [Fact]
    public void A_bucket_alone_is_one_on_AWS() => Assert.Empty(Faults(new() { Bucket = "evidence" }));

    [Theory]
    [InlineData(2_556, false, false)]
    [InlineData(2_557, false, true)]
    [InlineData(1, false, false)]
    [InlineData(1, true, true)]
    [InlineData(0, true, false)]
    public void Less_than_seven_years_is_for_development(int days, bool isAllowed, bool isRight) => Assert.Equal(
        isRight,
        Faults(new() { Bucket = "evidence", RetentionDays = days, AllowShortRetention = isAllowed }).Count == 0);

    [Theory]
    [InlineData("https://s3.example", "", "key", "secret")]
    [InlineData("", "evidence", "key", "")]
    [InlineData("", "evidence", "", "secret")]
    [InlineData("", "Evidence", "", "")]
    [InlineData("", "e", "", "")]
    [InlineData("s3.example", "evidence", "", "")]
    [InlineData("https://key:secret@s3.example", "evidence", "", "")]
    public void What_cannot_work_is_refused(string url, string bucket, string key, string secret) => Assert.NotEmpty(
        Faults(new() { ServiceUrl = url, Bucket = bucket, AccessKey = key, SecretKey = secret }));

    private static List<ValidationResult> Faults(S3ArchiveOptions options)
    {
        var faults = new List<ValidationResult>();
        Validator.TryValidateObject(options, new(options), faults, validateAllProperties: true);
        Assert.All(faults, fault => Assert.DoesNotContain("secret", fault.ErrorMessage, StringComparison.Ordinal));
        return faults;
    }
}
