// What the stand-ins for k6's modules reach the run through: the main thread and each virtual user fill it in their
// way.
export const host = {};
