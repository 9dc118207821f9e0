"""What is registered, as lists: top-level domains, codes of countries, accounts that are nobody's.

Sources: the IANA root zone database (the country codes of two letters, and of the generic names those that
mail is written to), ITU-T E.164 with its list of assigned codes, images of operating systems and of CI.
"""

from __future__ import annotations

_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc "
    "cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga "
    "gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo "
    "jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr "
    "ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re "
    "ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr "
    "tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_GENERIC = (
    "com org net edu gov mil int info biz name pro aero coop museum mobi tel travel jobs cat asia post app dev page "
    "web xyz online site website tech technology store shop blog cloud agency academy email mail news live life world "
    "today space digital design studio media social network systems solutions services software group team works "
    "company business consulting finance financial fund capital ventures holdings partners international global "
    "health care clinic dental hospital law legal lawyer attorney insurance bank money tax energy engineering "
    "construction house homes properties realty estate rentals land city town community church foundation charity ngo "
    "ong school college university education courses training institute science ltd llc gmbh inc limited expert guru "
    "ninja rocks club fun games game art photo photos photography gallery pictures video film music audio radio "
    "events party chat support help host hosting domains center zone run red blue green pink black one top best vip "
    "win link click nyc london berlin paris wien hamburg koeln bayern tokyo amsterdam swiss scot wales eus gal bzh "
    "africa moscow kiwi google amazon apple microsoft bmw sap fox moe ooo icu wiki zip mov dad phd esq prof foo bar "
    "cafe restaurant coffee pizza kitchen recipes fitness yoga fashion style clothing shoes jewelry boutique market "
    "markets trade sale deals discount express delivery supply supplies tools equipment industries farm garden vet "
    "pet dog horse ski surf golf football tennis bike cars auto taxi limo flights vacations holiday hotel tours "
    "cruises camp codes computer observer report press review reviews directory guide tips watch buzz cool wtf lol "
    "sexy gay lgbt local internal intranet lan corp"
)
TOP = "|".join(sorted({*_COUNTRIES.split(), *_GENERIC.split()}, key=lambda name: (-len(name), name)))
"""Top-level domains as alternatives, and those of private networks: `ada@mail.corp` tells who, too."""

_ATTRIBUTES = "to is at in id name map so as do my no it me run add all pro fit"
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
"""Top-level domains that are methods and attributes as well: `q@k.to(device)`."""

_CALLING_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
    "86 90 91 92 93 94 95 98 "
    "211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 "
    "243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 "
    "297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 "
    "387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 "
    "674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852 853 855 856 870 878 880 "
    "881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 996 "
    "998"
)
CALLING_CODES = frozenset(_CALLING_CODES.split())
"""Of countries and services, without the plus sign."""

_ACCOUNTS = (
    "user username users yourname your-name your_name your-username your_username yourusername youruser your_user "
    "name me you myuser my-user someone somebody person foo bar baz shared public default defaultuser0 all everyone "
    "guest admin administrator root ubuntu debian fedora centos ec2-user opc azureuser adminuser vagrant runner "
    "runneradmin circleci travis jenkins buildkite-agent gitlab-runner builder build ci app appuser application node "
    "python ruby vscode codespace codespaces coder jovyan sandbox docker container git www www-data web nobody "
    "nonroot work worker workspace linuxbrew test tester testuser test-user agent assistant oai gitpod daytona "
    "sbx_user1051 homebrew pi deploy service daemon data bin home lib src page pages index dashboard settings profile "
    "about login logout signup contact search help products product news blog api assets static images css js docs "
    "feed explore redacted masked site"
)
ACCOUNTS = frozenset(_ACCOUNTS.split())
"""Accounts of images and services, names in examples, and folders called `home` in projects and web sites."""
