import { describe, expect, test } from "vitest";
import { mark, marked, untilMarked } from "../../../test/marked.ts";
import { needs } from "../../../test/needs.ts";
import { startNearfar } from "./command.ts";

/** A shell that says which signals it gets, and goes on. */
const tells = (names: string) =>
	`for name in ${names}; do trap "echo got $name" $name; done; echo up; while :; do sleep 0.05; done`;

describe("signals are passed on", () => {
	test.each(["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "CONT", "WINCH"])("SIG%s", async (name) => {
		const { child, ended, shows } = startNearfar(["run", "sh", "-c", tells(name)]);
		await shows("up");
		child.kill(`SIG${name}` as NodeJS.Signals);
		await shows(`got ${name}`);
		child.kill(name === "TERM" ? "SIGHUP" : "SIGTERM");
		expect(await ended).toMatchObject({ code: name === "TERM" ? 129 : 143, signal: null });
	});

	test("a command that a signal ends is 128 and its number", async () => {
		const { child, ended, shows } = startNearfar(["run", "sh", "-c", "echo up; exec sleep 1000"]);
		await shows("up");
		child.kill("SIGHUP");
		expect(await ended).toMatchObject({ code: 129, signal: null });
	});
});

test("the second SIGINT kills a command that does not end by the first, and what it has left behind", async () => {
	const { child, ended, shows } = startNearfar(["run", "sh", "-c", `(setsid sleep 1000 &); ${tells("INT TERM")}`]);
	await shows("up");
	child.kill("SIGINT");
	await shows("got INT");
	child.kill("SIGINT");
	expect(await ended).toMatchObject({ code: 137, signal: null });
});

needs("/proc").test.each(["SIGKILL", "SIGSTOP"] as const)(
	"nothing stays where %s has ended nearfar itself",
	async (signal) => {
		const env = mark();
		const args = ["run", "--env", "NEARFAR_MARK", "sh", "-c", "(setsid sleep 1000 &); echo up; exec sleep 1000"];
		const { child, ended, shows } = startNearfar(args, { env });
		await shows("up");
		child.kill(signal);
		child.kill("SIGKILL");
		expect(await ended).toMatchObject({ code: null, signal: "SIGKILL" });
		await untilMarked(env, 0);
		expect(marked(env)).toEqual([]);
	},
);

needs("/proc").test("nothing stays where the command is killed, and its output ends with it", async () => {
	const env = mark();
	const args = ["run", "--env", "NEARFAR_MARK", "sh", "-c", "(setsid sleep 1000 &); kill -KILL $$"];
	expect(await startNearfar(args, { env }).ended).toMatchObject({ code: 137, stdout: "" });
	expect(marked(env)).toEqual([]);
});

test("a signal that comes while the sandbox is made reaches the command", async () => {
	const { child, ended } = startNearfar(["run", "--config", "/dev/stdin", "sh", "-c", "sleep 1000"], {
		input: undefined,
	});
	child.stdin?.end('{"preset":"closed"}');
	// Before Node has a handler, the signal ends Node itself.
	const sending = setInterval(() => child.kill("SIGTERM"), 5);
	const { code, signal } = await ended;
	clearInterval(sending);
	expect([143, "SIGTERM"]).toContain(code ?? signal);
});
