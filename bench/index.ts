// `npm run bench [-- --json FILE] [-- --only NAME,NAME]`: every row of the table against its peer.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { caps } from "./caps.ts";
import { everyThread } from "./every-thread.ts";
import { exec } from "./exec.ts";
import { far, thread } from "./far.ts";
import { imports } from "./import.ts";
import { isolate } from "./isolate.ts";
import { limits } from "./limits.ts";
import { mount } from "./mount.ts";
import { lookAtMounts } from "./mountinfo.ts";
import { namespace } from "./namespace.ts";
import { near } from "./near.ts";
import { nearfarRun } from "./nearfar-run.ts";
import { net } from "./net.ts";
import { pidfd } from "./pidfd.ts";
import { probing } from "./probe.ts";
import { proxy } from "./proxy.ts";
import { compare, type Result, type Row } from "./row.ts";
import { sandbox } from "./sandbox.ts";
import { sandboxRun } from "./sandbox-run.ts";
import { spawnPipes } from "./spawn-pipes.ts";
import { spawnProgram } from "./spawn-program.ts";
import { task } from "./task.ts";
import { usernsMap } from "./userns-map.ts";

const rows = [
	...near,
	...far,
	...thread,
	...caps,
	...task,
	...everyThread,
	...exec,
	...spawnProgram,
	...spawnPipes,
	...limits,
	...isolate,
	...sandbox,
	...sandboxRun,
	...proxy,
	...nearfarRun,
	...mount,
	...net,
	...namespace,
	...pidfd,
	...lookAtMounts,
	...probing,
	...usernsMap,
	...imports,
];
// npm passes a second `--` on to the program.
const args = process.argv.slice(2).filter((argument) => argument !== "--");
const { values } = parseArgs({ args, options: { json: { type: "string" }, only: { type: "string" } } });
const names = values.only?.split(",") ?? rows.map((row) => row.name);
const unknown = names.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) {
	console.error(`no row is called ${unknown}: expected some of ${rows.map((row) => row.name)}`);
	process.exit(2);
}

const results: Result[] = [];
console.log(line("row", "ours", "peer", "ratio", "bar", ""));
for (const row of rows.filter((row) => names.includes(row.name))) {
	const result = await compare(row).catch((error: Error) => `failed: ${error.message}`);
	if (typeof result === "string") {
		console.log(`${row.name.padEnd(20)}skipped: ${result}`);
		process.exitCode ||= result.startsWith("failed") ? 1 : 0;
		continue;
	}
	results.push(result);
	console.log(describe(row, result));
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ rows: results }, undefined, "\t")}\n`);

function describe(row: Row, { ours, peer, ratio }: Result): string {
	const [ourTime, peerTime] = [ours, peer].map((value) => `${value.toPrecision(3)} ${row.unit}`);
	const unit = row.difference ? ` ${row.unit}` : "";
	const compared = row.difference ? `+${ratio.toFixed(1)}${unit}` : ratio.toFixed(3);
	const limit = row.bar === undefined ? "none" : `<= ${row.bar}${unit}`;
	const verdict = row.bar === undefined ? "" : `${ratio <= row.bar ? "met" : "NOT MET"}, `;
	return line(row.name, ourTime, peerTime, compared, limit, `${verdict}peer: ${row.peerName}`);
}

function line(name: string, ...columns: (string | undefined)[]): string {
	const cells = columns.map((column, index) => (index < 4 ? (column ?? "").padStart(12) : `  ${column}`));
	return `${name.padEnd(20)}${cells.join("")}`;
}
