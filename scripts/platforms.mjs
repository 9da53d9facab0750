// The platforms that the addon and the stub are built for. Each has a package in packages/core/npm, its slice.
import { join } from "node:path";
import { root } from "./run.mjs";

/** The platforms. `cpu` and `libc` are npm's words. `glibc` is the lowest version that the addon loads with, and links against. */
export const platforms = [
	{ name: "x64-gnu", triple: "x86_64-unknown-linux-gnu", cpu: "x64", libc: "glibc", glibc: "2.28" },
	{ name: "arm64-gnu", triple: "aarch64-unknown-linux-gnu", cpu: "arm64", libc: "glibc", glibc: "2.28" },
	{ name: "x64-musl", triple: "x86_64-unknown-linux-musl", cpu: "x64", libc: "musl" },
	{ name: "arm64-musl", triple: "aarch64-unknown-linux-musl", cpu: "arm64", libc: "musl" },
];

/** Returns the folder of a platform's package. */
export function sliceFolder({ name }) {
	return join(root, "packages/core/npm", name);
}

/** Returns the file name of a platform's addon. The stub beside it is `nearfar-stub` on each platform. */
export function addonName({ name }) {
	return `nearfar.linux-${name}.node`;
}
