"""
What makes LocalStack 4.14's CloudFormation do as AWS's does, above all when a stack is updated.

LocalStack's engine walks one graph of the template before and after, and calls a deployment done whatever became of
it. Here a stack's resources are held against the template one after the other; what was done is on record as it is
done, nothing is deleted before the rest has succeeded, and so everything can be taken back. LocalStack's resource
providers make the resources, its stores keep them, and its transforms expand templates.

``install.py`` puts it in the place of LocalStack's own when LocalStack starts; ``provider.py`` is what is put there.

Gap of LocalStack 4.14                                                             Module
---------------------------------------------------------------------------------  --------------------------------
an update ends UPDATE_COMPLETE whatever happened, and loses outputs                engine/operations, deployment
a failed update leaves the stack corrupt                                           engine/going_back, records
a failed creation leaves its resources; no OnFailure, no DisableRollback           engine/operations, cleanup
no ContinueUpdateRollback, RollbackStack, CancelUpdateStack                        api/rollbacks
a deployment that a stop interrupts stays in progress for ever                     engine/operations (resume)
replaced resources go before the update has succeeded                              engine/cleanup
resources whose condition turns false stay                                         engine/target, cleanup
one policy for all: Retain but not RetainExceptOnCreate, nor UpdateReplacePolicy   engine/cleanup
custom names are taken over, or replaced in place                                  engine/decisions, resources/
an update that a provider lacks counts as done                                     engine/calls
no-op change sets and updates                                                      engine/planning
DescribeChangeSet answers 500; no details, causes or conditional replacement       engine/planning, api/change_sets
change set names and old change sets                                               api/change_sets
stacks that can't be updated are                                                   engine/operations, api/stacks
circles, references to nothing, unknown types, wrong forms                         engine/template
``${!x}`` in ``Fn::Sub``; texts become numbers; errors in functions are 500s        engine/intrinsics
parameters: bounds, UsePreviousValue, values from the parameter store              engine/parameters
dynamic references are kept in plain text                                          engine/dynamic
exports taken twice, changed or deleted while in use; ListImports                  engine/exports
templates by URL from another account's bucket; UsePreviousTemplate                api/requests
termination protection, RetainResources                                            api/stacks
no drift detection                                                                 engine/drift, api/drift
numbers and truths written as text                                                 engine/coercion
no update of most resource types; properties that are dropped                      resources/ (a module per type or two)
no AWS::ApiGateway::Authorizer                                                     resources/rest_parts
a stream that was switched off stays off                                           streams

Not here, as open-source LocalStack has no such service or provider: AWS::ApiGatewayV2, AWS::Cognito, custom resources;
importing resources; stack policies.
"""
