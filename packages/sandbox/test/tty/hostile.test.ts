import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { needs } from "../../../../test/needs.ts";
import { run } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { inTerminal } from "./outer.ts";

const python = "/usr/bin/python3";
const path = fileURLToPath(new URL("../fixtures/terminal-attempts.py", import.meta.url));
const attempts = readFileSync(path, "utf8");
const files = { "/tmp/attempts.py": attempts };
const { test } = needs("the program python3", "pseudoterminals");

/** Returns what the attempts have printed. */
function reported(text: string): Record<string, unknown> {
	const line = text.split("\r\n").find((each) => each.includes("report "));
	return JSON.parse(line?.slice(line.indexOf("report ") + 7) ?? "null");
}

/** Returns what the attempts get in a sandbox whose 0, 1 and 2 are a terminal of the host, or in no sandbox. */
async function inTerminalOfHost(sandbox: "none" | "default" | "all"): Promise<Record<string, unknown>> {
	const words =
		sandbox === "none"
			? [python, path]
			: [process.execPath, fixturePath("sandbox/inherit"), "plain", sandbox, python, "/tmp/attempts.py"];
	const [file = "", ...args] = words;
	await using outer = await inTerminal(file, args, { ATTEMPTS: attempts });
	await outer.screen.until("report ");
	const line = await outer.screen.until("\r\n");
	await outer.child.exited;
	return reported(`report ${line}`);
}

/** What nobody in a sandbox gets. */
const none = { "a virtual console": "ENOENT", "the console": "ENOENT" };
const refused = {
	TIOCSTI: "EPERM",
	"TIOCSTI with high bits": "EPERM",
	TIOCLINUX: "EPERM",
	"TIOCLINUX with high bits": "EPERM",
};

test("SB-20 a hostile program reaches its own terminal alone, and no request puts keys into it", async () => {
	const { stdout } = (await run(python, ["/tmp/attempts.py"], { preset: "closed", files, tty: true })).check();
	expect(reported(stdout)).toMatchObject({
		...none,
		...refused,
		"open /dev/tty": "done",
		"TIOCSTI at /dev/tty": "EPERM",
		"the foreground": "done",
		isatty: true,
		terminals: ["0", "ptmx"],
	});
	expect(reported(stdout)["controlling terminal"]).not.toBe("0");
});

test("SB-20 a terminal of the host that is inherited does not become the controlling terminal, and takes no keys", async () => {
	expect(await inTerminalOfHost("none")).toMatchObject({ "open /dev/tty": "done", "the foreground": "done" });
	for (const syscalls of ["default", "all"] as const) {
		expect([syscalls, await inTerminalOfHost(syscalls)]).toMatchObject([
			syscalls,
			{
				...none,
				...(syscalls === "default" && refused),
				TIOCSTI: "EPERM",
				"TIOCSTI with high bits": "EPERM",
				"open /dev/tty": "ENXIO",
				"TIOCSTI at /dev/tty": "ENXIO",
				"take the terminal": "EPERM",
				"steal the terminal": "EPERM",
				"the foreground": "ENOTTY",
				"controlling terminal": "0",
				isatty: true,
				terminals: ["ptmx"],
			},
		]);
	}
});

needs("the program python3", "pseudoterminals", "root").test(
	"the same attempts put keys into a terminal of the host where there is no sandbox",
	async () => {
		expect(await inTerminalOfHost("none")).toMatchObject({ TIOCSTI: "done", "TIOCSTI with high bits": "done" });
	},
);

needs("/proc", "pseudoterminals").test(
	"Ctrl-C at the terminal of Node is a signal for Node alone, which passes on what it wants, or ends with the sandbox",
	async () => {
		const script =
			"trap 'echo command got INT' INT; trap 'echo command got TERM; exit 6' TERM; echo ready; sleep 1000 & wait";
		const env = mark();
		const fixture = fixturePath("sandbox/inherit");
		{
			await using outer = await inTerminal(process.execPath, [fixture, "forward", "default", "sh", "-c", script], env);
			await outer.screen.until("ready");
			outer.screen.type("\x03");
			const shown = await outer.screen.until("command got TERM");
			expect(shown).toContain("Node got SIGINT");
			expect(shown).not.toContain("command got INT");
			expect(JSON.parse(await outer.report)).toEqual({ code: 6, signal: null });
		}
		await using outer = await inTerminal(process.execPath, [fixture, "plain", "default", "sh", "-c", script], env);
		await outer.screen.until("ready");
		outer.screen.type("\x03");
		expect((await outer.child.exited).signal).toBe("SIGINT");
		await untilMarked(env, 0);
		expect(marked(env)).toEqual([]);
	},
);
