/** The type of a file. */
export type FileType = "file" | "directory" | "symlink" | "block" | "character" | "fifo" | "socket";

/** The number of a device. */
export interface DeviceNumber {
	/** The number of the driver. */
	readonly major: number;
	/** The number of the device among those of the driver. */
	readonly minor: number;
}

/** The kernel's number of each type: the upper four bits of a mode, and the `DT_*` constant in an entry of a directory. */
export const fileTypeNumbers = {
	fifo: 1,
	character: 2,
	directory: 4,
	block: 6,
	file: 8,
	symlink: 10,
	socket: 12,
} as const;

/** The type for each of these numbers. */
export const fileTypes: Readonly<Record<number, FileType>> = Object.fromEntries(
	Object.entries(fileTypeNumbers).map(([type, number]) => [number, type as FileType]),
);
