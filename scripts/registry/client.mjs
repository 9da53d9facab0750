// The checks of one client: the packages are installed into an empty folder, and used there.
import * as fs from "node:fs";
import { join } from "node:path";
import { fetchTool } from "../runtimes/fetch.mjs";
import { runSmoke } from "../runtimes/row.mjs";
import { rows } from "../runtimes/rows.mjs";
import { clients } from "./clients.mjs";
import { command, libc, makeHome, makeProject, slicesIn } from "./projects.mjs";

const MEMFD_NOEXEC = "/proc/sys/vm/memfd_noexec";

/** The runtime that runs this script stands first. Every client is used on that one. */
const thisNode = { name: `this Node, ${process.version}`, command: () => [process.execPath, "smoke/smoke.mjs"] };
const [major] = process.versions.node.split(".");
const runtimes = rows.filter(({ name }) => /^(Node \d+|Bun|Deno)$/.test(name) && name !== `Node ${major}`);

/** The client that each of the other runtimes is used with, so that every runtime is used once. */
const partners = {
	"Node 20": "npm 10",
	"Node 22": "npm 11",
	"Node 24": "npm 12",
	"Node 26": "pnpm, the newest",
	Bun: "Bun",
	Deno: "Deno",
};

/** Installs the packages with a client, and uses them on this Node and on the client's other runtimes. */
export async function checkClient(client, shared) {
	const { check, all, packages } = shared;
	const project = await check(`${client.name}: installs the slice`, () => install(client, shared, packages));
	if (!project) return;
	const chosen = runtimes.filter(({ name }) => all || partners[name] === client.name);
	const uids = process.getuid() === 0 ? [0, 1000] : [process.getuid()];
	for (const uid of uids)
		await check(`${client.name}: the smoke on ${thisNode.name}, as uid ${uid}`, () =>
			smoke(thisNode, project, uid, client, shared),
		);
	for (const row of chosen)
		await check(`${client.name}: the smoke on ${row.name}`, () =>
			smoke(row, project, process.getuid(), client, shared),
		);
	await check(`${client.name}: tasks where vm.memfd_noexec is 2`, () =>
		withoutExecutableMemory(project, client, shared),
	);
	if (client.name !== "npm 11") return;
	await check("npm sbom names the slice", () => sbom(project, client, shared));
	await check("npx nearfar doctor", () => doctor(project, client, shared));
}

/** Returns the client with that name, its command for a list of packages, and where it and its Node lie. */
export function prepare(client, { tools, place, Skip, url }) {
	const folderOf = (tool) => {
		const { folder, reason } = fetchTool(tools, tool);
		if (reason) throw new Skip(reason);
		return folder;
	};
	const folder = folderOf(client.tool);
	const row = rows.find(({ name }) => name === client.node);
	const node = row && row.name !== `Node ${major}` ? row.command({ folder: folderOf(row.tool) })[0] : process.execPath;
	return { folder, node, home: makeHome(place, process.getuid()), url };
}

async function install(client, shared, packages) {
	const at = prepare(client, shared);
	const project = makeProject(join(shared.place, client.name.replace(/\W+/g, "-")));
	client.prepare(project, at.url);
	await command(project, client.install({ ...at, packages }), at.home);
	const slices = slicesIn(project).sort().join();
	const wanted = (client.ignoresLibc ? ["gnu", "musl"] : [libc])
		.map((name) => `core-linux-${process.arch}-${name}`)
		.join();
	if (slices !== wanted) throw new Error(`${slices || "nothing"} is installed, and not ${wanted}`);
	return project;
}

async function smoke(row, project, uid, client, shared) {
	const { place, tools, Skip } = shared;
	if (client.run && !/Node/.test(row.name)) throw new Skip(`${row.name} does not read the archives of yarn`);
	const { folder, reason } = fetchTool(tools, row.tool ?? {});
	if (reason) throw new Skip(reason);
	const wrapped = { ...row, project, command: (at) => throughClient(client, row.command(at), shared) };
	const result = await runSmoke(wrapped, { place: "/", folder, uid, home: makeHome(place, uid) });
	if (result.failed > 0 || result.passed === 0) throw new Error(result.faults.join("\n"));
	if (result.skipped > 0) console.log(result.faults.join("\n"));
}

/** Starts a smoke in the way that the client wants its packages to be used in. */
function throughClient(client, [node, ...args], shared) {
	return client.run ? client.run({ folder: prepare(client, shared).folder, node, args }) : [node, ...args];
}

/** Runs the cases with tasks where memory files cannot be executed: the stub has to be an executable file. */
async function withoutExecutableMemory(project, client, shared) {
	if (process.getuid() !== 0 || !fs.existsSync(MEMFD_NOEXEC)) throw new shared.Skip(`no root, or no ${MEMFD_NOEXEC}`);
	const script = `echo 2 >${MEMFD_NOEXEC} || { echo "skipped: this root may not write ${MEMFD_NOEXEC}"; exit 0; }; "$@"`;
	const [node, ...args] = [...throughClient(client, thisNode.command(), shared), "a task is"];
	const row = {
		project,
		command: () => ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh", node, ...args],
	};
	const result = await runSmoke(row, { place: "/", uid: 0, home: makeHome(shared.place, 0) });
	if (result.failed === 1 && result.skipped === 1) throw new shared.Skip(result.faults[0]);
	if (result.failed > 0) throw new Error(result.faults.join("\n"));
}

async function sbom(project, client, shared) {
	const { folder, node, home } = prepare(client, shared);
	const [slice] = slicesIn(project);
	for (const format of ["cyclonedx", "spdx"]) {
		const npm = [node, join(folder, "node_modules/npm/bin/npm-cli.js"), "sbom", `--sbom-format=${format}`];
		const text = await command(project, npm, home);
		if (!text.includes(`@nearfar/${slice}`)) throw new Error(`${format} does not name @nearfar/${slice}`);
	}
}

async function doctor(project, client, shared) {
	const { folder, node, home } = prepare(client, shared);
	const npx = join(folder, "node_modules/npm/bin/npx-cli.js");
	const text = await command(project, [node, npx, "--offline", "nearfar", "doctor"], home);
	if (!text.includes("This host can run sandboxes")) throw new Error(text);
}

export const npm11 = clients.find(({ name }) => name === "npm 11");
