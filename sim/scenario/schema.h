/* schema.h: the tables of keys.h as a JSON Schema (draft 7) for editors: scenarios/scenario.schema.json. */
#ifndef QUIESCE_SIM_SCENARIO_SCHEMA_H
#define QUIESCE_SIM_SCENARIO_SCHEMA_H

/* The whole file. The caller frees. */
char *scenario_schema(void);

#endif
