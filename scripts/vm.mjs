// `node scripts/vm.mjs <kernel> <arch> <command> [--seconds N] [--memory MiB]`: boots a kernel of Debian in qemu, runs a
// shell command in it, in /tree, which is a copy of this tree, and exits with the exit code of the command. Exits with 124 if
// the command did not end in time, and with 125 if the machine could not run it. Node is in the search path, other lines
// of it in /opt.
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { temporaryFolder } from "./ending.mjs";
import { stop } from "./run.mjs";
import { cpio } from "./vm/cpio.mjs";
import { architectures } from "./vm/debian.mjs";
import { makeSystem, makeTree } from "./vm/image.mjs";
import { fetchKernel, kernels } from "./vm/kernel.mjs";
import { runMachine } from "./vm/qemu.mjs";
import { fetchTools } from "./vm/tools.mjs";

const MOST_SECONDS = Math.floor((2 ** 31 - 1) / 1000); // a timer of Node with more than 31 bits fires at once

/**
 * Boots a kernel, runs a command in it, and ends the machine.
 *
 * @param {object} options
 * @param {string} options.kernel - "5.10", "6.1", "6.12" or "newest".
 * @param {string} options.arch - "x64" or "arm64".
 * @param {string} options.command - Text for bash, which runs as root in /tree.
 * @param {string} [options.system] - The image of the root file system, by default that of Debian with Node.
 * @param {string} [options.tree] - The image that is mounted at /tree.
 * @param {number} [options.seconds] - The time after which the machine is killed, by default 300.
 * @param {number} [options.memory] - The size of its memory in MiB, by default 2048.
 * @param {number} [options.cpus] - The number of its processors, by default 2.
 * @param {(chunk: Buffer) => void} [options.output] - Called with each piece of the output of the command.
 * @returns {Promise<{ code?: number, reason?: string, late?: boolean, panicked?: boolean, console?: string }>} The exit code of the
 *   command, or why there is none, with the last lines of the kernel's console.
 */
export async function boot({
	kernel,
	arch,
	command,
	system,
	tree,
	seconds = 300,
	memory = 2048,
	cpus = 2,
	output = () => {},
}) {
	const { image, initramfs } = fetchKernel(kernel, arch);
	const disks = [system ?? makeSystem(arch), ...(tree ? [tree] : [])];
	const folder = temporaryFolder("nearfar-vm-");
	try {
		// The kernel unpacks both archives, one after the other.
		const more = cpio([
			{ name: "command", data: command },
			{ name: "main.sh", data: fs.readFileSync(new URL("vm/main.sh", import.meta.url)) },
			{ name: "as-user", data: fs.readFileSync(new URL("vm/as-user.sh", import.meta.url)) },
		]);
		const whole = join(folder, "initramfs");
		fs.writeFileSync(whole, Buffer.concat([fs.readFileSync(initramfs), more]));
		return await runMachine(arch, { kernel: image, initramfs: whole, disks, folder, seconds, memory, cpus, output });
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
}

/** Fetches and makes what each machine of this kernel and architecture needs, unless an earlier run has. */
export function prepare(kernel, arch) {
	fetchTools();
	fetchKernel(kernel, arch);
	makeSystem(arch);
}

async function main() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { seconds: { type: "string", default: "300" }, memory: { type: "string", default: "2048" } },
	});
	const [kernel, arch, command] = positionals;
	if (positionals.length !== 3)
		stop("usage: node scripts/vm.mjs <kernel> <arch> <command> [--seconds N] [--memory MiB]");
	if (!Object.hasOwn(kernels, kernel)) stop(`no kernel ${kernel}: the kernels are ${Object.keys(kernels).join(", ")}`);
	if (!Object.hasOwn(architectures, arch))
		stop(`no architecture ${arch}: there are ${Object.keys(architectures).join(", ")}`);
	const [seconds, memory] = [values.seconds, values.memory].map(Number);
	if (!(seconds > 0 && memory > 0)) stop("--seconds and --memory take a positive number");
	if (seconds > MOST_SECONDS) stop(`--seconds takes at most ${MOST_SECONDS}, which are 24 days`);
	const output = (chunk) => process.stdout.write(chunk);
	try {
		const tree = makeTree(join(temporaryFolder("nearfar-vm-tree-"), "tree.img"));
		const { code, reason, late, console: last } = await boot({ kernel, arch, command, tree, seconds, memory, output });
		if (reason) console.error(`${last}\nnearfar: ${reason}`);
		process.exitCode = reason ? (late ? 124 : 125) : code;
	} catch (error) {
		console.error(`nearfar: the machine cannot be made: ${error.message}`);
		process.exitCode = 125;
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
