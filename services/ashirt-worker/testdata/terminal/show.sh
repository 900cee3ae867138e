#!/bin/bash
# What is recorded in `shell.cast`: colours, a line that is overwritten, wide characters, a full-screen program.
printf '\033]0;a title\007\033[1;32mops@kali\033[0m:\033[34m~\033[0m$ nmap -sV 10.0.0.5\r\n'
for n in 10 50 100; do printf '\rprogress: %3d%%' "$n"; done
printf '\r\n22/tcp open  ssh\r\n日本語 and emoji 🦀, e\314\201\r\n'
seq 1 40
printf 'abcdef\b\b\bXYZ\r\n'
printf 'see me\r\n' | less -R -X > /dev/null
printf '\033[?1049h\033[2J\033[Hfull screen\033[?1049l'
printf 'a long line: '; printf 'x%.0s' $(seq 1 100); printf '\r\n'
printf '\033[31mdone\033[0m\r\n'
