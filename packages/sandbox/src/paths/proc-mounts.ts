import { readFileSync } from "node:fs";
import { parseMountinfo } from "@nearfar/mount";

/** Returns the places at which a procfs is mounted, other than `/proc` and below it. */
export function procMounts(): string[] {
	const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
	const found = parseMountinfo(lines.filter((line) => line.includes(" - proc ")).join("\n"));
	return found.map(({ mountPoint }) => mountPoint).filter((path) => path !== "/proc" && !path.startsWith("/proc/"));
}
