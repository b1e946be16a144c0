// Checks a published log with Go's own packages, so that nothing of ours is judge in its own cause.
//
//	goverifier check DIRECTORY   checks all that lies there and says how much that was
//	goverifier sign              signs the note's text on its input with a new key; prints the key, then the note
//
// In the directory lie: vkey; checkpoint-SIZE; tile/... as the read API has them; proof-SIZE-INDEX.tlog-proof;
// consistency-OLD-NEW with one hash a line.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

var directory string
var known note.Verifiers
var read int // entries
var trees = map[int64]tlog.Tree{}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "check":
		directory = os.Args[2]
		err = checkAll()
	case len(os.Args) == 2 && os.Args[1] == "sign":
		err = sign()
	default:
		err = fmt.Errorf("usage: goverifier check DIRECTORY | goverifier sign")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sign() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	secret, public, err := note.GenerateKey(rand.Reader, "go.example/log")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s", public, signed)
	return nil
}

func checkAll() error {
	key, err := readFile("vkey")
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(string(key))
	if err != nil {
		return fmt.Errorf("vkey: %v", err)
	}
	known = note.VerifierList(verifier)

	checks := []struct {
		prefix string
		check  func(name string) error
	}{{"checkpoint-", checkCheckpoint}, {"proof-", checkProof}, {"consistency-", checkConsistency}}
	for _, kind := range checks {
		found, err := filepath.Glob(filepath.Join(directory, kind.prefix+"*"))
		if err != nil {
			return err
		}
		sort.Strings(found)
		for _, path := range found {
			name := filepath.Base(path)
			if err := kind.check(name); err != nil {
				return fmt.Errorf("%s: %v", name, err)
			}
		}
		fmt.Printf("%s%d\n", kind.prefix, len(found))
	}
	fmt.Printf("entries-%d\n", read)
	return nil
}

// Opens the checkpoint, reads the whole tree from the tiles, and every entry from the bundles.
func checkCheckpoint(name string) error {
	message, err := readFile(name)
	if err != nil {
		return err
	}
	tree, err := open(message)
	if err != nil {
		return err
	}
	trees[tree.N] = tree

	// Reads no tile that it cannot prove to be of this tree.
	stored := tlog.TileHashReader(tree, tiles{})
	for first := int64(0); first < tree.N; first += 1 << tileHeight {
		entries, err := readBundle(first, tree.N)
		if err != nil {
			return err
		}
		var places []int64
		for i := range entries {
			places = append(places, tlog.StoredHashIndex(0, first+int64(i)))
		}
		hashes, err := stored.ReadHashes(places)
		if err != nil {
			return fmt.Errorf("entries from %d: %v", first, err)
		}
		for i, entry := range entries {
			if hashes[i] != tlog.RecordHash(entry) {
				return fmt.Errorf("entry %d is not the tree's", first+int64(i))
			}
			read++
		}
	}
	return nil
}

func open(message []byte) (tlog.Tree, error) {
	opened, err := note.Open(message, known)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != opened.Sigs[0].Name {
		return tlog.Tree{}, fmt.Errorf("no checkpoint of three lines: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkProof(name string) error {
	file, err := readFile(name)
	if err != nil {
		return err
	}
	head, checkpoint, _ := strings.Cut(string(file), "\n\n")
	tree, err := open([]byte(checkpoint))
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("no proof: %q", head)
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	path, err := parseHashes(lines[3:])
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	own, err := tlog.ProveRecord(tree.N, index, tlog.TileHashReader(tree, tiles{}))
	if err != nil {
		return err
	}
	if !same(path, own) {
		return fmt.Errorf("this is not the proof of the tiles")
	}
	return nil
}

func checkConsistency(name string) error {
	file, err := readFile(name)
	if err != nil {
		return err
	}
	var earlier, later int64
	if _, err := fmt.Sscanf(name, "consistency-%d-%d", &earlier, &later); err != nil {
		return err
	}
	proof, err := parseHashes(strings.Split(strings.TrimSuffix(string(file), "\n"), "\n"))
	if err != nil {
		return err
	}
	old, tree := trees[earlier], trees[later]
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	own, err := tlog.ProveTree(tree.N, old.N, tlog.TileHashReader(tree, tiles{}))
	if err != nil {
		return err
	}
	if !same(proof, own) {
		return fmt.Errorf("this is not the proof of the tiles")
	}
	return nil
}

func same(one, other []tlog.Hash) bool {
	return len(one) == 0 && len(other) == 0 || reflect.DeepEqual(one, other)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		if line == "" {
			continue
		}
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func readBundle(first, size int64) ([][]byte, error) {
	tile := tlog.Tile{H: tileHeight, L: -1, N: first >> tileHeight, W: 1 << tileHeight}
	if rest := size - first; rest < int64(tile.W) {
		tile.W = int(rest)
	}
	bundle, err := readFile(path(tile))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(bundle) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		if end > len(bundle) {
			break
		}
		entries = append(entries, bundle[2:end])
		bundle = bundle[end:]
	}
	if len(bundle) != 0 || len(entries) != tile.W {
		return nil, fmt.Errorf("%s is no bundle of %d entries", path(tile), tile.W)
	}
	return entries, nil
}

// Without the height, which Go's own database has in its paths.
func path(tile tlog.Tile) string {
	with := tile.Path()
	without := strings.TrimPrefix(with, fmt.Sprintf("tile/%d/", tileHeight))
	return "tile/" + strings.Replace(without, "data/", "entries/", 1)
}

func readFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(directory, filepath.FromSlash(name)))
}

type tiles struct{}

func (tiles) Height() int { return tileHeight }

func (tiles) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range asked {
		content, err := readFile(path(tile))
		if err != nil {
			return nil, err
		}
		if len(content) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path(tile), len(content))
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
