using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Voting.Contracts;

namespace Results;

/// <summary>
/// The surveys that this process shows: loaded when somebody first asks, dropped when nobody has for a while.
/// </summary>
internal sealed class Boards(
    VotingReads voting, IOptions<ResultsOptions> options, TimeProvider clock, ResultsMetrics metrics,
    IHostApplicationLifetime lifetime)
{
    private readonly ConcurrentDictionary<int, Held> _held = [];
    private readonly TaskCompletionSource _following = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Whether tallies are followed: until then nothing is loaded, for what came in between would be missed.
    /// </summary>
    public bool AreFollowed => _following.Task.IsCompletedSuccessfully;

    /// <summary>Says that from now on every new tally comes to <see cref="Merge"/>.</summary>
    public void Follow() => _following.TrySetResult();

    /// <summary>Takes a tally that was read from the log, if its survey is held.</summary>
    public void Merge(PartitionTally tally)
    {
        if (_held.TryGetValue(tally.Survey, out var held)) held.Board.Merge(tally);
    }

    /// <summary>Finds a survey that has been published; loads it first if need be.</summary>
    /// <returns>Without a board: there is no such survey, or the process cannot load it now.</returns>
    /// <param name="surveyId">Its id.</param>
    /// <param name="cancel">Ends the wait, not the loading.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> was signalled.</exception>
    public async ValueTask<Search> FindAsync(int surveyId, CancellationToken cancel)
    {
        if (_held.TryGetValue(surveyId, out var held) && held.Board.Frame is not null)
        {
            held.Board.Touch();
            return new(held.Board, false);
        }

        if (held is null)
        {
            // Ids that nobody has must take up nothing.
            if (await voting.Survey(surveyId, cancel) is null) return new(null, false);
            if (_held.Count >= options.Value.SurveyCountMax) return new(null, true);
            held = _held.GetOrAdd(surveyId, id => new(this, new(id, clock)));
        }

        try
        {
            return await held.Loading.Value.WaitAsync(cancel) ? new(held.Board, false) : new(null, false);
        }
        catch (OperationCanceledException)
            when (lifetime.ApplicationStopping.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            // Loading ends with the process. Whoever asks again reaches another one.
            return new(null, true);
        }
    }

    /// <summary>Brings every board up to date and looks after those who look at them. One call at a time.</summary>
    /// <returns>Surveys whose signed result is older than what was shown, which must not be.</returns>
    public async ValueTask<IReadOnlyList<int>> TurnAsync(CancellationToken cancel)
    {
        List<int>? behind = null;
        foreach (var (id, held) in _held)
        {
            if (held.Board.Frame is not { } shown) continue;
            if (shown.Status is not ResultStatus.Final && await voting.Survey(id, cancel) is { } survey
                && held.Board.Refresh(survey) is var (before, after))
            {
                metrics.FramesRendered.Add(1);
                if (after.Version < before?.Version) (behind ??= []).Add(id);
            }

            held.Board.ForEachViewer(static viewer => viewer.LookAfter());
            if (!held.Board.TryRetire(options.Value.SurveyIdleTimeout)) continue;
            if (_held.TryRemove(new(id, held))) metrics.Surveys.Add(-1);
        }

        return behind ?? (IReadOnlyList<int>)[];
    }

    /// <summary>Ends every stream.</summary>
    public void EndAll()
    {
        foreach (var held in _held.Values) held.Board.ForEachViewer(static viewer => viewer.End());
    }

    /// <returns>False when the survey is gone; it is not held any more then.</returns>
    private async Task<bool> LoadAsync(Held held)
    {
        var (board, stop) = (held.Board, lifetime.ApplicationStopping);
        try
        {
            await _following.Task.WaitAsync(stop);
            // The board hears new tallies by now, so what these rows do not have yet has come, or will come, by the
            // log.
            if (await voting.Survey(board.SurveyId, stop) is not { } survey)
            {
                _held.TryRemove(new(board.SurveyId, held));
                return false;
            }

            if (Frame.StatusOf(survey) is not ResultStatus.Final)
            {
                foreach (var tally in await voting.Tallies(board.SurveyId, stop)) board.Merge(tally);
            }

            metrics.FramesRendered.Add(1);
            metrics.Surveys.Add(1);
            board.Refresh(survey);
            return true;
        }
        catch
        {
            // Whoever asks next tries again.
            _held.TryRemove(new(board.SurveyId, held));
            throw;
        }
    }

    /// <param name="Board">The survey's board, loaded; or null.</param>
    /// <param name="Later">Whether there is none for want of room, or because the process is about to stop.</param>
    internal readonly record struct Search(Board? Board, bool Later);

    private sealed class Held
    {
        public Held(Boards boards, Board board)
        {
            Board = board;
            Loading = new(() => boards.LoadAsync(this));
        }

        public Board Board { get; }

        public Lazy<Task<bool>> Loading { get; }
    }
}
