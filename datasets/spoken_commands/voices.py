"""Who speaks in the made recordings, in which English, over which noise; words for babble."""

# Lists of names are texts here, split where they are used.
ACCENTS = "en en-us en-us-nyc en-029 en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd"
NOISES = "white pink brown wind hum machine knocks babble"
# Variants of espeak-ng that sound alike (Gene and Gene2, steph to steph3 and more, by the distance
# of their spectra) stand in one part, or only one of them is taken; robots and whisperers are left
# out. The first of each are those of the small set.
VOICES = {
    "train": (
        "m1 f3 Diogo aunty m2 f1 shelby linda Alicia anika zac m5 m6 Alex Andy AnxiousAndy Gene "
        "Lee Marco Mario Mike Reed RicishayMax RicishayMax3 Tweaky announcer antonio boris caleb "
        "david ed edward grandpa ian john kaukovalta klatt2 klatt4 marcelo max miguel mike2 "
        "norbert paul pedro quincy sandro travis"
    ),
    "validation": "f4 m4 belinda Andrea Nguyen m8 Storm pablo Jacky",
    "test": "f5 m3 Annie steph grandma gustave iven2 Denis rob",
}
OTHER_WORDS = {
    "train": (
        "bed bird four one happy house marble tree wow learn visual zero cat two three dog "
        "five six seven eight music paper finger hello tomorrow question apple river mountain "
        "cloud winter coffee bread butter sugar bottle table chair mirror carpet ceiling "
        "corner engine wheel bridge station ticket village castle forest island ocean desert "
        "valley farmer teacher soldier painter brother sister cousin uncle money market "
        "copper iron diamond leather cotton velvet hammer needle basket blanket candle "
        "lantern pencil envelope notebook number answer reason moment morning evening "
        "thunder lightning shadow rabbit tiger horse sheep chicken eagle spider carrot potato "
        "tomato lemon cherry pepper yellow brown green scarlet quickly slowly never always "
        "maybe over under around run jump sing write push pull open close low high road note "
        "snow glass best test sir mess"
    ),
    "validation": (
        "nine window orange garden pilot silver doctor empty hospital camera monday dinner "
        "bicycle turtle planet guitar blue fish shirt stone harbour ladder pocket sunday "
        "kitten cheese rope slow grow west lift start"
    ),
    "test": (
        "water follow ten summer letter purple kitchen animal friday office planter singer "
        "ginger button gold ship skirt bone theatre feather rocket walnut tuesday puppy honey "
        "soap blow hedgehog nest list story fright"
    ),
}
