using System.Numerics;

namespace Audit;

/// <summary>A queue of values whose places stay the same while they are in it. Not thread safe.</summary>
internal sealed class RingQueue<T>
    where T : struct
{
    private T[] _items = new T[1024];

    /// <summary>Place of the first value; there is none when it is <see cref="End"/>.</summary>
    public long Start { get; private set; }

    /// <summary>Place of the next value to come.</summary>
    public long End { get; private set; }

    public bool IsEmpty => Start == End;

    public ref T First => ref this[Start];

    public ref T this[long place] => ref _items[place & (_items.Length - 1)];

    /// <returns>The new value, in place.</returns>
    public ref T Add(in T item)
    {
        if (End - Start == _items.Length) Grow();
        ref var added = ref this[End++];
        added = item;
        return ref added;
    }

    /// <summary>Drops values from the front up to a place.</summary>
    public void Drop(long to) => Start = Math.Max(Start, to);

    /// <summary>Drops values from a place on.</summary>
    public void Cut(long from) => End = Math.Min(End, from);

    private void Grow()
    {
        var grown = new T[checked((int)BitOperations.RoundUpToPowerOf2((uint)_items.Length + 1))];
        for (var place = Start; place < End; place++) grown[place & (grown.Length - 1)] = this[place];
        _items = grown;
    }
}
