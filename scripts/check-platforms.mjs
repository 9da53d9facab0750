// `node scripts/check-platforms.mjs [word…] [--ci]`: runs the rows of docs/platforms.md, each on its kernel, or those whose names have one
// of the words, or with --ci those that CI runs. The addons come from packages/core/npm, where scripts/slice.mjs builds
// them. The last line counts the cases and tests of all rows.
import * as fs from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { line } from "./count.mjs";
import { temporaryFolder } from "./ending.mjs";
import { platforms } from "./platforms.mjs";
import { stop } from "./run.mjs";
import { setup } from "./setup.mjs";
import { UnavailableError } from "./vm/debian.mjs";
import { runOnHost } from "./vm/host.mjs";
import { makeImage, makeTree } from "./vm/image.mjs";
import { bootAgainAfterPanic } from "./vm/panic.mjs";
import { isBuilt, makeProject } from "./vm/project.mjs";
import { rows } from "./vm/rows.mjs";
import { patienceOf, resultOf, scriptOf } from "./vm/script.mjs";
import { boot, prepare } from "./vm.mjs";

const MACHINES_AT_A_TIME = 2;

const { values, positionals: words } = parseArgs({
	allowPositionals: true,
	options: { ci: { type: "boolean", default: false } },
});
const chosen = rows.filter(
	({ name, suites, byHand }) =>
		!((suites || byHand) && values.ci) && (words.length === 0 || words.some((word) => name.includes(word))),
);
if (chosen.length === 0) stop(`no row has such a name: the rows are\n${rows.map(({ name }) => name).join("\n")}`);

setup();
process.umask(0o022); // another user runs what this script makes
const place = temporaryFolder("nearfar-platforms-");
fs.chmodSync(place, 0o755);

const total = { passed: 0, failed: 0, skipped: 0 };
const built = platforms.filter(isBuilt);
const projects = join(place, "projects");
for (const platform of built) makeProject(join(projects, platform.name), platform);
const projectsImage = once(() => makeImage(projects, join(place, "projects.img")));
const treeImage = once(() => makeTree(join(place, "tree.img")));
const compiledImage = once(() => makeTree(join(place, "compiled.img"), true));

const waiting = machinesOf(chosen.filter(hasAddon));
await Promise.all(Array.from({ length: MACHINES_AT_A_TIME }, runMachines));
console.log(line(total));
process.exitCode = total.failed === 0 ? 0 : 1;

/** Returns a function that makes something at its first call. What is made with may have to be fetched, and each call throws why not. */
function once(make) {
	let made;
	const attempt = () => {
		try {
			return { value: make() };
		} catch (error) {
			return { error };
		}
	};
	return () => {
		made ??= attempt();
		if (made.error) throw made.error;
		return made.value;
	};
}

/** Returns whether the addon of a row was built. Counts and tells a row as skipped otherwise. */
function hasAddon({ name, platform, uids }) {
	if (!platform || built.some((each) => each.name === platform)) return true;
	total.skipped += uids.length;
	console.log(
		`${name}: skipped: packages/core/npm/${platform} has no addon: run \`node scripts/slice.mjs ${platform}\``,
	);
	return false;
}

/** Returns the rows of each machine. The rows of one kernel, architecture and disk share it. */
function machinesOf(some) {
	const machines = new Map();
	for (const row of some) {
		const key = `${row.kernel} ${row.arch} ${row.suites !== undefined} ${row.files !== undefined}`;
		machines.set(key, [...(machines.get(key) ?? []), row]);
	}
	return [...machines.values()];
}

/** Takes machines that are left, and runs them one after the other. */
async function runMachines() {
	for (let rows = waiting.shift(); rows; rows = waiting.shift()) await runRows(rows);
}

/** Runs the rows of one machine. If the machine cannot be made, they are skipped or have failed, and the other machines run. */
async function runRows(rows) {
	try {
		await runMachine(rows);
	} catch (error) {
		const kind = error instanceof UnavailableError ? "skipped" : "failed";
		for (const { name, uids } of rows) {
			total[kind] += uids.length;
			console.log(`${name}: ${kind}: ${error.message}`);
		}
	}
}

async function runMachine(rows) {
	const [{ kernel, arch, suites, files }] = rows;
	let output = "";
	const options = {
		...{ kernel, arch, seconds: patienceOf(rows) },
		output: (chunk) => {
			output += chunk;
		},
	};
	const script = scriptOf(rows);
	if (kernel !== "host") prepare(kernel, arch);
	const image = suites ? treeImage : files ? compiledImage : projectsImage;
	const disk = kernel === "host" ? undefined : image();
	const began = performance.now();
	const memory = suites || files ? 4096 : 2048;
	const { reason, console: last } = await (kernel === "host"
		? runOnHost(arch, { ...options, tree: projects, script })
		: bootAgainAfterPanic(`Linux ${kernel}, ${arch}`, () => {
				output = "";
				return boot({ ...options, command: script, tree: disk, memory });
			}));
	const seconds = ((performance.now() - began) / 1000).toFixed(0);
	console.log(`Linux ${kernel}, ${arch}: ${seconds} s with the boot${reason ? `: ${reason}\n${last ?? ""}` : ""}`);
	for (const row of rows) for (const uid of row.uids) report(row, uid, resultOf(output, row, uid));
}

function report({ name }, uid, { faults, milliseconds, ...counts }) {
	for (const kind of Object.keys(total)) total[kind] += counts[kind];
	const time = milliseconds === undefined ? "" : ` (${(milliseconds / 1000).toFixed(1)} s)`;
	console.log(`${name}, uid ${uid}: ${line(counts)}${time}`);
	for (const fault of faults) console.log(`  ${fault}`);
}
