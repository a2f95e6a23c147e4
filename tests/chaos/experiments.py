"""All experiments, in the order of the table."""

from __future__ import annotations

from tests.chaos.calls import fail_each_call
from tests.chaos.damage import damage_every_byte
from tests.chaos.disk import fail_on_the_way_in, fill_the_disk
from tests.chaos.experiment import Experiment
from tests.chaos.kills import (
    bring_back_ten_sessions,
    kill_anything,
    kill_claude,
    kill_the_bridge,
    kill_tmux,
)
from tests.chaos.network import flood_one_chat
from tests.chaos.presses import press_end_to_end, press_what_must_not_work
from tests.chaos.secrets import look_for_the_token
from tests.chaos.store import add_up_at_once, kill_inbox_writers, kill_store_writers
from tests.chaos.texts import send_hostile_texts, send_texts_at_dialogs

SEED = 20261121

EXPERIMENTS = (
    Experiment(
        "kill-bridge",
        kill_the_bridge,
        60,
        1000,
        "The bridge, Claude Code and tmux are the real ones; Telegram and the model are stand-ins "
        "on the same machine. One or two prompts are sent, up to 0.9 s later the bridge is killed "
        "with SIGKILL and started again; a quarter of the time the next kill may come before it "
        "listens. In the end each prompt is counted in what the model was asked, and each answer "
        "in what the chat shows: an answer counts as there when it is shown, or when the chat was "
        "asked about it (“This may not have arrived”).",
    ),
    Experiment(
        "kill-claude",
        kill_claude,
        4,
        100,
        "A prompt is sent whose answer the model holds back; Claude Code is killed with SIGKILL up "
        "to half a second after the model was asked, or before. Then the chat asks for all it has "
        "said so far: only a history that reached the model can be repeated by it. The session id "
        "must be the same, and a line in the chat must tell what happened.",
    ),
    Experiment(
        "kill-tmux",
        kill_tmux,
        3,
        100,
        "As above, with SIGKILL for the tmux server, which takes Claude with it.",
    ),
    Experiment(
        "kill-anything",
        kill_anything,
        4,
        300,
        "Under load as in the first, but Claude and the tmux server die too, alone or with the "
        "bridge. What counts is the history that the model has in the end: each prompt once, in "
        "order. (Claude, killed within a tenth of a second of asking the model, has forgotten it, "
        "and it is typed again: so the number of requests says nothing here.)",
    ),
    Experiment(
        "ten-sessions",
        bring_back_ten_sessions,
        1,
        10,
        "Ten people have a session each (a group would not do: Telegram takes 20 messages a minute "
        "there). The tmux server is killed, all ten are asked at once for what they were told, and "
        "the time until the last answer is in its chat is taken. It is mostly ten starts of Claude "
        "Code, so it depends on the processor.",
    ),
    Experiment(
        "kill-store",
        kill_store_writers,
        100,
        10_000,
        "A child process saves, edits, binds and deletes sessions, counts in shared memory what "
        "returned, and is killed with SIGKILL up to 3 ms after a change (or while it opens the "
        "store). The store is opened again: every session must be as its last acknowledged change "
        "left it, or as the one under way would have.",
    ),
    Experiment(
        "kill-inbox",
        kill_inbox_writers,
        100,
        10_000,
        "The same with the journal of the inbox: received, assigned, typed, done.",
    ),
    Experiment(
        "damage",
        damage_every_byte,
        25,
        0,
        "A session file, the store's index and log of changes, both journals, a history, and the "
        "files of people, devices, buttons, requests, chats' settings, places and found sessions "
        "are written by the program. Then each is cut off at a byte, or one bit of a byte is "
        "flipped, and the program opens it: it must not crash; what it believes must be what was "
        "written; what is missing must be no more than what the damage hit, and the damaged bytes "
        "must be kept (beside, or in a history where they are, and told); what is only a help to "
        "go faster must tell no lie. (A file of lines that ends early can't be told from a younger "
        "one: there only what stands before the cut is asked for.) The page's database is not "
        "among them. The long form takes every byte.",
    ),
    Experiment(
        "failing-calls",
        fail_each_call,
        1,
        1,
        "Every open, read, write, fsync, rename, mkdir, unlink and flock that is made for the "
        "sessions, buttons, people, devices, requests, chats' settings, places, histories, "
        "inbox and outbox fails in its turn, for all n, with each of the four errors: the change "
        "is done whole or not at all, memory and disk agree, no temporary file stays, and the next "
        "call works. What does not wait for the disk (a place that was heard of, a history, how "
        "far a message has come) must be on it with the next change that it takes. All of it once "
        "more with a damaged file: its bytes must still be there. (What only looks, such as stat, "
        "is not counted; nor is the clean-up after a failure, which is a second one. When the last "
        "fsync fails, of the folder, either content may be found.)",
    ),
    Experiment(
        "failing-way-in",
        fail_on_the_way_in,
        2,
        20,
        "Texts come from the stand-in for Telegram through the real channel into the real inbox, "
        "whose n-th call fails, once or three times. At every pause, and in the end, what Telegram "
        "was told to forget is compared with a copy of the journal.",
    ),
    Experiment(
        "full-disk",
        fill_the_disk,
        2,
        50,
        "The state directory is a tmpfs of 1 MB. It is filled to the last byte, texts are sent, "
        "every second time the bridge is killed and started while it is full; then it is freed.",
    ),
    Experiment(
        "sum",
        add_up_at_once,
        4,
        100,
        "Each of 8 x 16 threads adds 1 to a number in the state of one session, so many times.",
    ),
    Experiment(
        "hostile-texts",
        send_hostile_texts,
        12,
        1000,
        "Texts are drawn from those that terminals, tmux or Claude's input box are known to spoil, "
        "from mixtures of them, and from an alphabet of what is awkward, up to the 3,500 "
        "characters. Each is compared with what the model was asked: it must be what "
        "`prepare_prompt` says, to the byte. The time is from the text at Telegram to the request "
        "at the model, with Claude awake and idle.",
    ),
    Experiment(
        "dialogs",
        send_texts_at_dialogs,
        8,
        2000,
        "The model calls a tool that needs permission, or /model is opened at the terminal; texts "
        "such as “1” and “yes” are sent at moments drawn by lot, and somebody presses the keys of "
        "the key pad, some of them twice. A tool that made its file without a press for it, a "
        "model that was set, a text that is missing or there twice at the model, a turn cut off or "
        "a draft left by a stray key are counted.",
    ),
    Experiment(
        "presses",
        press_what_must_not_work,
        500,
        10_000,
        "Buttons in two chats with topics, each for one of two people, some used, some pushed out "
        "by 500 newer sets. What is pressed is drawn by lot, and the buttons are read from the "
        "disk again ten times in between. In the end the right presses must work.",
    ),
    Experiment(
        "presses-end-to-end",
        press_end_to_end,
        24,
        1000,
        "In a group with two allowed users and a stranger, one lists the sessions; forged, used, "
        "the other one's and the stranger's presses come through Telegram to the real bridge.",
    ),
    Experiment(
        "flood",
        flood_one_chat,
        2,
        30,
        "One answer is refused with 429 and so many seconds of retry_after. Until they are over "
        "the other chat goes on asking, and nothing may be sent to the first.",
    ),
    Experiment(
        "token",
        look_for_the_token,
        1,
        10,
        "Every call of the channel fails in every way in this process: text, repr and traceback of "
        "what is raised are searched. Then a real bridge goes through the same, once with the "
        "token from the environment and once (but in the short form) from its config file: all "
        "files of the machine, all command lines, all environments (but for the bridge's own in "
        "the first case), what a tool "
        "of Claude's sees, the log and standard error are searched.",
    ),
)
