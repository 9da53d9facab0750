// Fetches Debian's kernels for clouds, and makes the first file system with which one of them boots.
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { cpio } from "./cpio.mjs";
import { architectures, execute, unpack } from "./debian.mjs";
import { toolCommand } from "./tools.mjs";

/** The release of Debian that has each kernel. */
export const kernels = { "5.10": "bullseye", 6.1: "bookworm", 6.12: "trixie", newest: "trixie-backports" };

/** The modules that a machine loads: its disks, the ports of its output, and the file system of its disks. */
const modules = ["virtio_pci", "virtio_blk", "virtio_console", "ext4"];

/** Fetches a kernel, and returns the paths of its image and of its initramfs. */
export function fetchKernel(name, arch) {
	const folder = unpack(`kernel-${name}-${arch}`, {
		release: kernels[name],
		arch,
		packages: [`linux-image-cloud-${architectures[arch]}`],
		keep: (each) => /^linux-(image|binary|modules)-\d/.test(each),
	});
	return { image: findImage(folder), initramfs: makeInitramfs(folder, arch) };
}

/** Returns the path of the image of an unpacked kernel. Since Linux 7 Debian has it beside the modules. */
function findImage(folder) {
	const boot = join(folder, "boot");
	const names = fs.existsSync(boot) ? fs.readdirSync(boot) : [];
	const image = names.find((file) => file.startsWith("vmlinuz-"));
	if (image) return join(boot, image);
	const modules = join(folder, "usr/lib/modules");
	return join(modules, fs.readdirSync(modules)[0], "vmlinuz");
}

/** Makes the initramfs of an unpacked kernel, unless an earlier run has: busybox, the modules and the first program. */
function makeInitramfs(folder, arch) {
	const path = join(folder, "initramfs");
	const init = fs.readFileSync(new URL("init.sh", import.meta.url));
	const busybox = unpack(`busybox-${arch}`, {
		release: "bookworm",
		arch,
		packages: ["busybox-static"],
		keep: (each) => each === "busybox-static",
	});
	const loaded = new Map();
	const files = findModules(folder);
	for (const module of modules) loadOrder(module, files, loaded);
	const archive = cpio([
		...["bin", "dev", "proc", "sys", "modules", "disk", "run"].map((name) => ({ name })),
		{ name: "dev/console", device: [5, 1], mode: 0o600 },
		{ name: "init", data: init },
		{ name: "bin/busybox", data: fs.readFileSync(join(busybox, "bin/busybox")) },
		// The names begin with numbers, in whose order the modules are loaded.
		...[...loaded.values()].map((data, i) => ({ name: `modules/${String(i).padStart(2, "0")}.ko`, data })),
	]);
	fs.writeFileSync(`${path}.${process.pid}`, archive);
	fs.renameSync(`${path}.${process.pid}`, path);
	return path;
}

/** Returns the paths of all modules by their names, in which a dash is an underscore. */
function findModules(folder) {
	const base = ["lib/modules", "usr/lib/modules"].map((name) => join(folder, name)).find(fs.existsSync);
	const paths = fs.readdirSync(base, { recursive: true }).filter((path) => /\.ko(\.xz|\.zst)?$/.test(path));
	return new Map(
		paths.map((path) => [
			basename(path)
				.replace(/\.ko.*/, "")
				.replaceAll("-", "_"),
			join(base, path),
		]),
	);
}

/** Adds a module after those on which it depends. A module that the kernel has built in has no file. */
function loadOrder(name, files, loaded) {
	const path = files.get(name);
	if (!path || loaded.has(name)) return;
	const data = readModule(path);
	const depends = /\0depends=([^\0]*)\0/.exec(data.toString("latin1"))?.[1] ?? "";
	for (const each of depends.split(",").filter(Boolean)) loadOrder(each.replaceAll("-", "_"), files, loaded);
	loaded.set(name, data);
}

/** Reads a module, and decompresses it: the kernel takes compressed ones only from some versions on. */
function readModule(path) {
	const program = path.endsWith(".xz") ? "xz" : path.endsWith(".zst") ? "zstd" : undefined;
	if (!program) return fs.readFileSync(path);
	const [file, ...args] = toolCommand(program);
	return execute(file, [...args, "-dc", path], { encoding: "buffer" });
}
