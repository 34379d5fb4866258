/* kafkatcl.h -- link the kafka package into a program of its own.
 *
 * Written by cbindgen from src/lib.rs: run `make doc` to write it anew.
 *
 *     Tcl_StaticLibrary(interp, "Kafka", Kafka_Init, Kafka_SafeInit);
 *     Kafka_Init(interp);
 *
 * `pkg-config --static --libs kafkatcl` has what to link with. The commands written in Tcl
 * (kafka::brokers and its relatives, the classes) are in the package's folder tcl/: evaluate
 * tcl/kafka.tcl after Kafka_Init to have them.
 */

#ifndef KAFKATCL_H
#define KAFKATCL_H

#include <tcl.h>

#define KAFKATCL_VERSION "2.5.0"

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes the package's commands in an interpreter, and provides the package `kafka`. It is what
 * `load libkafka.so Kafka` calls, and what a program that links the package in gives to
 * `Tcl_StaticLibrary` (`Tcl_StaticPackage` before Tcl 8.7).
 *
 * # Safety
 * The interpreter is alive and belongs to the calling thread.
 */
int Kafka_Init(Tcl_Interp *interp);

/**
 * The same for a safe interpreter, which is refused: the package opens network connections and
 * files.
 *
 * # Safety
 * As for `Kafka_Init`.
 */
int Kafka_SafeInit(Tcl_Interp *interp);

/**
 * Refuses too, for there is no unload: librdkafka's threads may run as long as the process does.
 *
 * # Safety
 * As for `Kafka_Init`.
 */
int Kafka_Unload(Tcl_Interp *interp, int _flags);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KAFKATCL_H */
