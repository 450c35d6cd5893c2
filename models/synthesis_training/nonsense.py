"""Words and templates of semantically unpredictable sentences: grammar is right, and no word helps to guess the next.

After C. Benoît, M. Grice, V. Hazan, "The SUS test" (Speech Communication 18, 1996): five structures of frequent words,
most of one syllable.
"""

from __future__ import annotations

TEMPLATES = (
    "the NOUN BE PREP the ADJ NOUN.",
    "the ADJ NOUN PAST the NOUN.",
    "ADV VERB the NOUN and the NOUN.",
    "ASK does the NOUN VERB the ADJ NOUN?",
    "the NOUN PAST the NOUN that GONE.",
)
"""In capitals: a slot, filled from `WORDS`."""

WORDS = {
    "NOUN": (
        "arm", "bank", "bed", "bird", "boat", "book", "box", "bridge", "car", "chair", "child", "church", "clock",
        "cloud", "coat", "cup", "day", "desk", "dog", "door", "dream", "drink", "ear", "egg", "face", "farm", "field",
        "film", "fire", "fish", "floor", "fruit", "game", "gate", "girl", "glass", "grass", "ground", "group", "hand",
        "hat", "head", "heart", "hill", "horse", "hour", "house", "job", "key", "king", "knife", "lake", "law", "leaf",
        "light", "list", "lunch", "map", "milk", "month", "moon", "mouth", "name", "night", "noise", "page", "park",
        "plane", "plant", "plate", "pool", "queen", "rain", "ring", "river", "road", "roof", "room", "salt", "school",
        "shape", "ship", "shirt", "shoe", "shop", "sky", "smile", "snow", "song", "sound", "spoon", "spring", "stone",
        "storm", "street", "sun", "table", "tail", "tooth", "town", "train", "tree", "truth", "wall", "watch", "week",
        "wheel", "wind", "window", "word", "world", "year",
    ),
    "ADJ": (
        "big", "black", "blue", "brave", "bright", "brown", "cheap", "clean", "clear", "cold", "cool", "dark", "deep",
        "dry", "fast", "fine", "fresh", "full", "good", "great", "green", "grey", "hard", "high", "hot", "huge", "kind",
        "large", "late", "light", "long", "loud", "low", "new", "nice", "old", "pale", "plain", "poor", "proud",
        "quick", "red", "rich", "round", "sad", "sharp", "short", "slow", "small", "smooth", "soft", "strange",
        "strong", "sweet", "tall", "thick", "thin", "warm", "weak", "white", "wide", "wild", "wise", "young",
    ),
    "PAST": (
        "bought", "broke", "brought", "built", "called", "caught", "changed", "closed", "cooked", "cut", "drank",
        "drew", "drove", "dropped", "felt", "filled", "found", "gave", "helped", "held", "knew", "left", "liked",
        "lost", "loved", "made", "met", "moved", "paid", "passed", "played", "pulled", "pushed", "raised", "reached",
        "saved", "saw", "sent", "showed", "sold", "taught", "threw", "took", "touched", "turned", "used", "wanted",
        "washed", "watched", "won",
    ),
    "VERB": (
        "break", "bring", "build", "burn", "buy", "call", "carry", "catch", "change", "choose", "clean", "close",
        "cook", "count", "draw", "drink", "drive", "drop", "feel", "fill", "find", "follow", "hear", "help", "hold",
        "join", "keep", "lift", "like", "lose", "love", "make", "meet", "move", "need", "open", "paint", "pay", "play",
        "pull", "push", "reach", "save", "sell", "send", "serve", "show", "spend", "take", "teach", "throw", "touch",
        "turn", "use", "want", "wash", "watch", "wear", "win",
    ),
    "BE": (
        "ate", "called", "came", "danced", "died", "drove", "fell", "flew", "grew", "jumped", "lived", "moved",
        "played", "ran", "rested", "sang", "sat", "shone", "slept", "spoke", "stayed", "stood", "swam", "talked",
        "waited", "walked", "worked",
    ),
    "GONE": (
        "broke", "came", "changed", "danced", "died", "fell", "flew", "grew", "jumped", "laughed", "lived", "moved",
        "ran", "sang", "slept", "smiled", "spoke", "stopped", "swam", "talked", "turned", "waited", "walked", "worked",
    ),
    "PREP": ("above", "across", "behind", "below", "beside", "by", "from", "in", "near", "on", "over", "past", "round",
             "through", "to", "under", "with"),
    "ADV": ("always", "first", "never", "now", "often", "soon", "then"),
    "ASK": ("how", "when", "where", "why"),
}  # fmt: skip
