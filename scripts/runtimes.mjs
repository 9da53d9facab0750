// `node scripts/runtimes.mjs [word…]`: runs one smoke, scripts/runtimes/cases, with the built packages on each line of Node, on
// Bun and on Deno, and under tsx, jest and vitest. With words, runs only the rows whose names have one of them. Root runs each
// row as uid 1000, too. Runtimes and test runners come from npm into a temporary folder, or into the folder that
// NEARFAR_RUNTIMES names, which is kept. What cannot be fetched is skipped. The last line counts the cases of all rows.
import * as fs from "node:fs";
import { join } from "node:path";
import { line } from "./count.mjs";
import { temporaryFolder } from "./ending.mjs";
import { root, stop } from "./run.mjs";
import { fetchTool } from "./runtimes/fetch.mjs";
import { runSmoke } from "./runtimes/row.mjs";
import { rows } from "./runtimes/rows.mjs";
import { setup } from "./setup.mjs";

const words = process.argv.slice(2);
const chosen = rows.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
if (chosen.length === 0) stop(`no row has such a name: the rows are ${rows.map(({ name }) => name).join(", ")}`);

setup();
process.umask(0o022); // another user runs what this script makes
const kept = process.env.NEARFAR_RUNTIMES || undefined;
const place = kept ?? temporaryFolder("nearfar-runtimes-");
fs.mkdirSync(place, { recursive: true });
fs.chmodSync(place, 0o755);
const users = [process.getuid(), ...(process.getuid() === 0 ? [1000] : [])].map((uid) => ({
	uid,
	home: makeHome(uid),
}));

const names = fs.readdirSync(join(root, "packages"));
for (const name of names) packPackage(name, join(place, "packages", name));
fs.mkdirSync(join(place, "packages/node_modules"), { recursive: true });
fs.rmSync(join(place, "packages/node_modules/@nearfar"), { force: true });
fs.symlinkSync("..", join(place, "packages/node_modules/@nearfar"));
makeProject("project", (from, to) => fs.cpSync(from, to, { recursive: true }));
makeProject("linked", (from, to) => fs.symlinkSync(from, to));

const total = { passed: 0, failed: 0, skipped: 0 };
const width = Math.max(...chosen.map(({ name }) => name.length));
console.log(["".padEnd(width), ...users.map(({ uid }) => `uid ${uid}`.padEnd(34))].join("  ").trimEnd());
for (const row of chosen) {
	const { folder, reason } = await fetchTool(place, row.tool);
	// Two at a time: the rows are slow to start, and CI has two cores.
	const counts = reason
		? users.map(() => ({ passed: 0, failed: 0, skipped: 1, faults: [] }))
		: await Promise.all(users.map((user) => runSmoke(row, { place, folder, ...user })));
	for (const count of counts) for (const kind of Object.keys(total)) total[kind] += count[kind];
	const cells = counts.map((count) => (reason ? `skipped: ${reason}` : cell(count)).padEnd(34));
	console.log([row.name.padEnd(width), ...cells].join("  ").trimEnd());
	for (const [i, { faults }] of counts.entries())
		for (const fault of faults) console.log(`  uid ${users[i].uid}: ${fault}`);
}
console.log(line(total));
process.exitCode = total.failed === 0 ? 0 : 1;

function cell({ passed, failed, skipped, milliseconds }) {
	const numbers = [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`];
	return `${numbers.filter(Boolean).join(", ")} (${(milliseconds / 1000).toFixed(1)} s)`;
}

function makeHome(uid) {
	const home = join(place, `home-${uid}`);
	fs.mkdirSync(home, { recursive: true });
	fs.chownSync(home, uid, uid === 0 ? 0 : process.getgid() || uid);
	return home;
}

/**
 * Makes a project with the smoke and the packages as they are published: without sources, and in "project" as folders. In
 * "linked" they are links, as `npm install <folder>` makes them, and lie outside of any node_modules.
 */
function makeProject(name, install) {
	const project = join(place, name);
	fs.rmSync(project, { recursive: true, force: true });
	const scope = join(project, "node_modules/@nearfar");
	fs.mkdirSync(scope, { recursive: true });
	for (const each of names) install(join(place, "packages", each), join(scope, each));
	fs.writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
	fs.cpSync(join(root, "scripts/runtimes"), join(project, "smoke"), { recursive: true });
}

function packPackage(name, to) {
	const from = join(root, "packages", name);
	fs.rmSync(to, { recursive: true, force: true });
	for (const part of ["package.json", "dist", "native"])
		if (fs.existsSync(join(from, part))) fs.cpSync(join(from, part), join(to, part), { recursive: true });
}
