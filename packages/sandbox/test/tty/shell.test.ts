import { expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { type Started, start } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { Screen } from "./screen.ts";

const INTERRUPT = "\x03";
const SUSPEND = "\x1a";
const END = "\x04";
/** A prompt that no command prints, and that is not in the echo of the line that sets it. */
const PROMPT = "p>>";

/** Prints a text at each signal of a name. It forks nothing, so that Ctrl-Z stops the whole of it. */
const tell = `import os, signal, sys
name, text = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.Signals[name], lambda *_: os.write(1, text.replace("+", "").encode()))
os.write(1, b"begin")
while True: signal.pause()
`;

/** Starts an interactive shell, and waits for its prompt. */
async function interactive(file: string): Promise<[Started, Screen]> {
	const flags = file === "bash" ? ["--norc", "--noprofile", "--noediting", "-i"] : ["-i"];
	const child = await start(file, flags, {
		preset: "closed",
		tty: true,
		env: { PS1: PROMPT, PS2: "", ENV: "", TERM: "vt100" },
		files: { "/tmp/tell": tell },
	});
	const screen = new Screen(child.pty);
	await screen.until(PROMPT);
	return [child, screen];
}

for (const file of ["bash", "dash"]) {
	const { test } = needs(`the program ${file}`, "the program python3");

	test(`SB-20 ${file}: Ctrl-C ends the program in the foreground, and the shell goes on`, async () => {
		const [child, screen] = await interactive(file);
		screen.type("(echo begin$((1+1)); exec sleep 1000)\r");
		await screen.until("begin2");
		await screen.type(INTERRUPT).until(PROMPT);
		screen.type("echo code $?; exit 4\r");
		await screen.until("code 130");
		expect(await child.result).toMatchObject({ code: 4, reason: "exited" });
	});

	test(`SB-20 ${file}: Ctrl-Z stops a job, bg and fg continue it, and the foreground is the shell's in between`, async () => {
		const [child, screen] = await interactive(file);
		const suspended = async () => {
			await screen.type("python3 /tmp/tell SIGCONT cont+inued\r").until("begin");
			await screen.type(SUSPEND).until(PROMPT);
			await screen.type("jobs\r").until("Stopped");
		};
		await suspended();
		await screen.type("echo of$((1+1)) $(cut -d' ' -f5,8 /proc/$$/stat)\r").until("of2 ");
		const [group, foreground] = (await screen.until("\r\n")).split(" ");
		expect(foreground).toBe(group);
		await screen.type("bg\r").until("continued");
		await screen.type("jobs\r").until("Running");
		await screen.type("kill %1; wait; echo wai$((1+1))ed\r").until("wai2ed");
		await suspended();
		await screen.type("fg\r").until("continued"); // it is in the foreground before it is continued
		await screen.type(INTERRUPT).until(PROMPT);
		await screen.type("jobs; echo no$((1+1))jobs\r").until("\r\n");
		expect(await screen.until("no2jobs")).toBe("");
		await screen.until(PROMPT);
		screen.type(END);
		expect(await child.result).toMatchObject({ code: 0, reason: "exited" });
	});

	test(`SB-20 ${file}: a program in the background that reads the terminal is stopped`, async () => {
		const [child, screen] = await interactive(file);
		await screen.type("cat & until grep -q '^State:.T' /proc/$!/status; do :; done; echo it$((1+1))\r").until("it2");
		child.kill("SIGKILL"); // an interactive shell does not end before its jobs
		await child.result;
	});

	test(`SB-20 ${file}: Ctrl-D ends the shell`, async () => {
		const [child, screen] = await interactive(file);
		screen.type(END);
		expect((await child.result).code).toBe(0);
	});

	test(`SB-20 ${file}: a new size reaches the program in the foreground, with SIGWINCH`, async () => {
		const [child, screen] = await interactive(file);
		screen.type("python3 /tmp/tell SIGWINCH cha+nged\r");
		await screen.until("begin");
		child.pty?.resize(132, 43);
		await screen.until("changed");
		await screen.type(INTERRUPT).until(PROMPT);
		await screen.type("stty size\r").until("43 132");
		await screen.until(PROMPT);
		child.pty?.end();
		await child.result;
	});

	test(`SB-20 ${file}: stty changes the terminal`, async () => {
		const [child, screen] = await interactive(file);
		await screen.type("stty -echo; echo no$((1+1))echo\r").until("no2echo");
		await screen.until(PROMPT);
		screen.type("echo $((20+22))\r");
		expect(await screen.until("42")).toBe("");
		await screen.until(PROMPT);
		await screen.type("stty intr ^X echo; sh -c 'echo begin$((1+1)); exec sleep 1000'\r").until("begin2");
		await screen.type("\x18").until(PROMPT);
		child.pty?.end();
		await child.result;
	});
}

needs("the program vi").test("SB-20 an editor takes the whole screen, and writes a file", async () => {
	const child = await start("sh", ["-c", "vi /tmp/file; echo; cat /tmp/file"], {
		preset: "closed",
		tty: { columns: 60, rows: 20 },
		env: { TERM: "xterm", EXINIT: "" },
		read: ["/usr", "/bin", "/lib", "/lib64?", "/etc/alternatives?", "/etc/vim?"],
	});
	const screen = new Screen(child.pty);
	await screen.until("~"); // the lines behind the end of the file
	screen.type("iwritten\x1b:wq\r");
	await screen.until("\r\nwritten\r\n");
	expect((await child.result).code).toBe(0);
});

needs("the program less").test("SB-20 a pager shows as many lines as the terminal has", async () => {
	const child = await start("sh", ["-c", "seq 100 > /tmp/n; less /tmp/n; echo left"], {
		preset: "closed",
		tty: { columns: 40, rows: 10 },
		env: { TERM: "vt100", LESS: "" },
	});
	const screen = new Screen(child.pty);
	const first = await screen.until("\r\n9\r\n");
	expect(first).toContain("8");
	screen.type("G");
	await screen.until("100");
	screen.type("q");
	await screen.until("left");
	await child.result;
});

needs("the program python3").test("SB-20 a program makes more terminals in the sandbox", async () => {
	const script = "import pty,os; print(os.waitstatus_to_exitcode(pty.spawn(['tty'])))";
	const child = await start("/usr/bin/python3", ["-c", script], { preset: "closed", tty: true });
	await new Screen(child.pty).until("/dev/pts/1\r\n0\r\n");
	await child.result;
});
