import { join } from "node:path";
import { expect } from "vitest";
import { mark, untilMarked } from "../../../test/marked.ts";
import { needs } from "../../../test/needs.ts";
import { inTerminal, type Outer } from "../../sandbox/test/tty/outer.ts";

const command = join(import.meta.dirname, "../dist/nearfar.js");
const PROMPT = "outer>";
const { test } = needs("the program bash", "pseudoterminals", "/proc");

/** Starts the shell of a user, in which `nearfar` is the command. */
async function userShell(env: Record<string, string>): Promise<Outer> {
	const outer = await inTerminal("bash", ["--norc", "--noprofile", "--noediting", "-i"], {
		...env,
		PS1: PROMPT,
		TERM: "vt100",
	});
	await outer.screen.until(PROMPT);
	await outer.screen.type(`nearfar() { '${process.execPath}' '${command}' "$@"; }\r`).until("\r\n");
	await outer.screen.until(PROMPT);
	return outer;
}

/** Types a line, and returns what the shell shows up to its next prompt. */
async function line({ screen }: Outer, text: string): Promise<string> {
	await screen.type(`${text}\r`).until("\r\n");
	return screen.until(PROMPT);
}

/** What a user's shell has to find as it was: the modes of the terminal, and its own group in the foreground. */
const state = "stty -g; read -r _ _ _ _ group _ _ foreground _ < /proc/$$/stat; echo $group $foreground";
const inner = "nearfar run --preset closed --env PS1='inner>' --env ENV= -- sh -i";

test("SB-20 Ctrl-C, Ctrl-Z, fg and the size of the window reach a shell in a sandbox, and the user's shell is as before", async () => {
	await using outer = await userShell(mark());
	const { screen, terminal } = outer;
	const before = await line(outer, state);
	await screen.type(`${inner}\r`).until("\r\n");
	await screen.until("inner>");
	await screen.type("sh -c 'echo begin$((1+1)); exec sleep 1000'\r").until("begin2");
	await screen.type("\x03").until("inner>");
	await screen.type("sh -c 'echo begin$((1+1)); exec sleep 1000'\r").until("begin2");
	await screen.type("\x1a").until("inner>");
	await screen.type("jobs\r").until("Stopped");
	await screen.type("kill -KILL %1; stty size\r").until("24 80");
	terminal.resize(111, 55);
	await screen.type("until stty size | grep -q '55 111'; do :; done; echo resi$((1))ed\r").until("resi1ed");
	screen.type("exit 7\r");
	await screen.until(PROMPT);
	expect(await line(outer, "echo code $?")).toBe("code 7\r\n");
	expect(await line(outer, state)).toBe(before);
	expect(await line(outer, "jobs; echo it$((1+1))")).toBe("it2\r\n");
});

test("SB-20 what a program shows in raw mode arrives as it is", async () => {
	await using outer = await userShell(mark());
	const shown = await line(outer, "nearfar run --preset closed -- sh -c 'stty raw; printf \"a\\nb\\r\\nc\"'");
	expect(shown).toBe("a\nb\r\nc");
});

test("SB-20 a signal that ends nearfar run, a refusal, and a command that is killed leave the user's terminal as it was", async () => {
	const env = mark();
	await using outer = await userShell(env);
	const { screen } = outer;
	const before = await line(outer, state);
	expect(await line(outer, "nearfar run --preset closed -- no-such-program")).toContain("no-such-program");
	expect(await line(outer, "nearfar run --preset closed -- sh -c 'kill -KILL $$'; echo $?")).toContain("137");
	for (const signal of ["SIGTERM", "SIGHUP"] as const) {
		await screen.type("nearfar run --preset closed -- sh -c 'echo begin$((1+1)); exec sleep 1000'\r").until("begin2");
		const pids = (await untilMarked(env, 2)).filter((pid) => pid !== outer.child.pid); // the shell, and nearfar
		for (const pid of pids) process.kill(pid, signal);
		await screen.until(PROMPT);
	}
	expect(await line(outer, state)).toBe(before);
});
