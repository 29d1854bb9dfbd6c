"""The words by which the kinds of question are told, in comparable form, and what they leave over."""

import re
from typing import Final

WORKDAYS: Final = re.compile(
    r"\b(?:(?:work|working|business) ?days?|weekdays|days? (?:do|must|will) i (?:have to )?work"
    r"|arbeitstage?|werktage?|werkdagen|jours? ouvr\w+"
    r"|dias? (?:laborables?|habiles|uteis)|giorni lavorativi|dni robocz\w+|ימי עבודה)\b"
)
# The tradition's name in the table of traditions, by how people call it.
TRADITIONS: Final = {
    "buddhist": "buddhist",
    "chinese": "chinese",
    "christian": "christian",
    "hebrew": "jewish",
    "hindu": "indian",
    "indian": "indian",
    "islamic": "islamic",
    "jewish": "jewish",
    "moslem": "islamic",
    "muslim": "islamic",
    "orthodox": "orthodox",
}
OF_TRADITION: Final = re.compile(
    rf"\b({'|'.join(TRADITIONS)}) (?:high |holy |religious )?"
    r"(?:holidays?|holydays?|days|festivals?|feasts?)\b"
)
LONG_WEEKENDS: Final = re.compile(
    r"\b(?:long ?week ?ends?|(?:three|3) day week ?ends?|bridge days?|bridging days?|bruckentage?|puentes?)\b"
)
CANDLES: Final = re.compile(
    r"\b(?:candles?|candle ?light\w*|light(?:ing)? candles?"
    r"|(?:do|should|must) (?:i|we) light|havdal\w*|shabb?at\w*|shabb?os|shabbes|sabbath"
    r"|sabbat|motzei|licht bentshen|שבת|הבדלה|נרות)\b"
)
LIGHTS: Final = re.compile(r"\b(?:candles?|light\w*|נרות)\b")
# Those candles are lit on eight evenings, and not for rest.
HANUKKAH: Final = re.compile(r"\b(?:c?han+uk\w*|חנוכה)\b")
SUN: Final = re.compile(
    r"\b(?:sun|sun ?rises?|sun ?sets?|sun (?:goes|go) down|sun (?:comes|come) up|twilight|dawn|dusk"
    r"|solar noon|golden hour|daylight"
    r"|midnight sun|polar (?:night|day)|nightfall|first light|last light|gets? dark|dark"
    r"|length of (?:the )?day|day length|how long is the day|sonnenaufgang|sonnenuntergang"
    r"|(?:lever|coucher) du soleil|(?:salida|puesta) del? sol|tramonto|שקיעה|זריחה)\b"
)
# With a holiday: the question is when that is, and the sunset an addition which every answer has.
AND_SUN: Final = re.compile(r"\b(?:that day|and (?:the |its |also )*(?:sun|sunset|sunrise))\b")
_HOLIDAYS: Final = (
    r"(?:public|bank|national|federal|legal|statutory|official) holidays?|feiertage?|jours? feries?"
    r"|(?:dias )?festivos|feriados?|giorni festivi|dni wolne|days? off"
)
PUBLIC: Final = re.compile(rf"\b(?:{_HOLIDAYS})\b")
MAYBE_PUBLIC: Final = re.compile(r"\bholidays\b|\b(?:next|upcoming|coming|first|last) holiday\b")
# "Is 5 May a holiday", "are banks open tomorrow".
IS: Final = re.compile(
    r"^(?:so |and |hey |hi |hello )*(?:is|was|will|are|were|do|does|did|ist|war|am)\b(?! there)"
)
OFF: Final = re.compile(
    rf"\b(?:{_HOLIDAYS}|holidays?|off|free|open|closed|shut|work|working|work(?:ing)? ?day|feiertag"
    r"|arbeitstag)\b"
)
WAS: Final = re.compile(r"\b(?:was|were|did|war)\b")
COUNT: Final = re.compile(r"\b(\d{1,4}) (?=(?:work|working|business) ?days?\b|arbeitstage?\b|werktage?\b)")
BACK: Final = re.compile(r"\b(?:before|ago|earlier|back)\b")
UNTIL: Final = re.compile(r"\b(?:until|till|to|before|left|remain\w*|bis)\b")
RELATIVE_YEARS: Final = {"this year": 0, "next year": 1, "last year": -1, "year after next": 2}
# They sound like questions of ours, and are none.
NOT_KNOWN: Final = re.compile(r"\b(?:weather|forecast|temperature|rain|raining|snow|news|price|cost|joke)\b")
# Words of a question that are no part of a holiday's name, besides those that never are.
_QUESTION_TEXT = """
bonjour bye ciao danke gracias grazie hallo hola lot merci shalom so
a again astronomical bank banks bridge business calendar candle candles civil closed come comes coming
country date days de down du due during each en evening every exactly federal free from full gets goes
has havdala havdalah having how im in la le left legal length level light lighting list long longest
many minutes month months morning much name national nautical nightfall noon number of off official open
people public regional remain remaining rest rise rises schools set sets shabat shabbat shabbos shops
shut state statutory sunday tell then there time times total upcoming weekend weekends weeks work
workday workdays working works זמני כניסת צאת יציאת
"""
QUESTION_WORDS: Final = frozenset(_QUESTION_TEXT.split())
_MONTHS: Final = """
january february march april may june july august september october november december month
jan feb mar apr jun jul aug sep oct nov dec
"""
MONTH_WORDS: Final = frozenset(_MONTHS.split())
# "And the sunset?": of what was asked before.
GOES_ON: Final = re.compile(r"^(?:and|what about|how about|also|und|et|y)\b|\b(?:that day|then|there)\b")
