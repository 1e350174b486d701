import { Kind, OperationTypeNode, visit, type ASTNode, type DocumentNode } from 'graphql';

/**
 * The names of the variables on which the results of a subscription can depend: all but those that only say what is
 * subscribed to, as arguments of the root field. Those of other operations of the document may be among them.
 */
export function sharedVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Argument: (_node, _key, _parent, _path, ancestors) => (isOfRootField(ancestors) ? false : undefined),
    Variable: ({ name }) => {
      names.add(name.value);
    },
  });
  return [...names].sort();
}

/** Its ancestors end with an operation, its selection set, the selections, and the field that it is an argument of. */
function isOfRootField(ancestors: readonly unknown[]): boolean {
  const [operation, , , field] = ancestors.slice(-4) as readonly ASTNode[];
  return (
    field?.kind === Kind.FIELD &&
    operation?.kind === Kind.OPERATION_DEFINITION &&
    operation.operation === OperationTypeNode.SUBSCRIPTION
  );
}
