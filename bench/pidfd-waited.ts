// A Node that waits for processes that are not its children: the second argument is their number. When asked, the program
// reports how many microseconds of CPU time one exit costs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PidFd } from "@nearfar/pidfd";

const EXITS = 100;

const [, , program = "", count = ""] = process.argv;
const crowd = spawn(program, [count], { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface(crowd.stdout)[Symbol.asyncIterator]();
const waits: Promise<unknown>[] = [];

await fill();
process.on("message", async () => {
	const before = process.cpuUsage();
	crowd.stdin.write(`end ${EXITS}\n`);
	await Promise.all(waits.splice(0, EXITS));
	const { user, system } = process.cpuUsage(before);
	crowd.stdin.write("fill\n");
	await fill();
	process.send?.((user + system) / EXITS);
});
process.on("disconnect", async () => {
	crowd.stdin.end();
	await once(crowd, "exit");
	await Promise.all(waits);
});
process.send?.(0);

async function fill(): Promise<void> {
	const { value } = await lines.next();
	for (const pid of String(value).trim().split(" ")) {
		const pidfd = PidFd.open(Number(pid));
		waits.push(pidfd.exited().then(() => pidfd.close()));
	}
}
