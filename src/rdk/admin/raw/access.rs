//! Declarations for groups, ACLs and SCRAM credentials.

use libc::{c_char, c_int};

use super::*;

extern "C" {
    pub fn rd_kafka_ListConsumerGroups(
        rk: *mut rd_kafka_t,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_ConsumerGroupListing_group_id(
        grplist: *const ConsumerGroupListing,
    ) -> *const c_char;
    pub fn rd_kafka_ConsumerGroupListing_is_simple_consumer_group(
        grplist: *const ConsumerGroupListing,
    ) -> c_int;
    pub fn rd_kafka_ConsumerGroupListing_state(grplist: *const ConsumerGroupListing) -> c_int;
    pub fn rd_kafka_ConsumerGroupListing_type(grplist: *const ConsumerGroupListing) -> c_int;
    pub fn rd_kafka_ListConsumerGroups_result_valid(
        result: *const ListConsumerGroups_result,
        cntp: *mut usize,
    ) -> *mut *const ConsumerGroupListing;
    pub fn rd_kafka_ListConsumerGroups_result_errors(
        result: *const ListConsumerGroups_result,
        cntp: *mut usize,
    ) -> *mut *const rd_kafka_error_t;
    pub fn rd_kafka_DescribeConsumerGroups(
        rk: *mut rd_kafka_t,
        groups: *mut *const c_char,
        groups_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DescribeConsumerGroups_result_groups(
        result: *const DescribeConsumerGroups_result,
        cntp: *mut usize,
    ) -> *mut *const ConsumerGroupDescription;
    pub fn rd_kafka_ConsumerGroupDescription_group_id(
        grpdesc: *const ConsumerGroupDescription,
    ) -> *const c_char;
    pub fn rd_kafka_ConsumerGroupDescription_error(
        grpdesc: *const ConsumerGroupDescription,
    ) -> *const rd_kafka_error_t;
    pub fn rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(
        grpdesc: *const ConsumerGroupDescription,
    ) -> c_int;
    pub fn rd_kafka_ConsumerGroupDescription_partition_assignor(
        grpdesc: *const ConsumerGroupDescription,
    ) -> *const c_char;
    pub fn rd_kafka_ConsumerGroupDescription_authorized_operations(
        grpdesc: *const ConsumerGroupDescription,
        cntp: *mut usize,
    ) -> *const c_int;
    pub fn rd_kafka_ConsumerGroupDescription_state(
        grpdesc: *const ConsumerGroupDescription,
    ) -> c_int;
    pub fn rd_kafka_ConsumerGroupDescription_coordinator(
        grpdesc: *const ConsumerGroupDescription,
    ) -> *const Node;
    pub fn rd_kafka_ConsumerGroupDescription_type(
        grpdesc: *const ConsumerGroupDescription,
    ) -> c_int;
    pub fn rd_kafka_ConsumerGroupDescription_member_count(
        grpdesc: *const ConsumerGroupDescription,
    ) -> usize;
    pub fn rd_kafka_ConsumerGroupDescription_member(
        grpdesc: *const ConsumerGroupDescription,
        idx: usize,
    ) -> *const MemberDescription;
    pub fn rd_kafka_MemberDescription_client_id(member: *const MemberDescription) -> *const c_char;
    pub fn rd_kafka_MemberDescription_group_instance_id(
        member: *const MemberDescription,
    ) -> *const c_char;
    pub fn rd_kafka_MemberDescription_consumer_id(
        member: *const MemberDescription,
    ) -> *const c_char;
    pub fn rd_kafka_MemberDescription_host(member: *const MemberDescription) -> *const c_char;
    pub fn rd_kafka_MemberDescription_assignment(
        member: *const MemberDescription,
    ) -> *const MemberAssignment;
    pub fn rd_kafka_MemberAssignment_partitions(
        assignment: *const MemberAssignment,
    ) -> *const list_t;
    pub fn rd_kafka_MemberDescription_target_assignment(
        member: *const MemberDescription,
    ) -> *const MemberAssignment;
    pub fn rd_kafka_DeleteGroup_new(group: *const c_char) -> *mut DeleteGroup;
    pub fn rd_kafka_DeleteGroup_destroy(del_group: *mut DeleteGroup);
    pub fn rd_kafka_DeleteGroups(
        rk: *mut rd_kafka_t,
        del_groups: *mut *mut DeleteGroup,
        del_group_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DeleteGroups_result_groups(
        result: *const DeleteGroups_result,
        cntp: *mut usize,
    ) -> *mut *const group_result;
    pub fn rd_kafka_ListConsumerGroupOffsets_new(
        group_id: *const c_char,
        partitions: *const list_t,
    ) -> *mut ListConsumerGroupOffsets;
    pub fn rd_kafka_ListConsumerGroupOffsets_destroy(
        list_grpoffsets: *mut ListConsumerGroupOffsets,
    );
    pub fn rd_kafka_ListConsumerGroupOffsets(
        rk: *mut rd_kafka_t,
        list_grpoffsets: *mut *mut ListConsumerGroupOffsets,
        list_grpoffsets_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_ListConsumerGroupOffsets_result_groups(
        result: *const ListConsumerGroupOffsets_result,
        cntp: *mut usize,
    ) -> *mut *const group_result;
    pub fn rd_kafka_AlterConsumerGroupOffsets_new(
        group_id: *const c_char,
        partitions: *const list_t,
    ) -> *mut AlterConsumerGroupOffsets;
    pub fn rd_kafka_AlterConsumerGroupOffsets_destroy(
        alter_grpoffsets: *mut AlterConsumerGroupOffsets,
    );
    pub fn rd_kafka_AlterConsumerGroupOffsets(
        rk: *mut rd_kafka_t,
        alter_grpoffsets: *mut *mut AlterConsumerGroupOffsets,
        alter_grpoffsets_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_AlterConsumerGroupOffsets_result_groups(
        result: *const AlterConsumerGroupOffsets_result,
        cntp: *mut usize,
    ) -> *mut *const group_result;
    pub fn rd_kafka_DeleteConsumerGroupOffsets_new(
        group: *const c_char,
        partitions: *const list_t,
    ) -> *mut DeleteConsumerGroupOffsets;
    pub fn rd_kafka_DeleteConsumerGroupOffsets_destroy(
        del_grpoffsets: *mut DeleteConsumerGroupOffsets,
    );
    pub fn rd_kafka_DeleteConsumerGroupOffsets(
        rk: *mut rd_kafka_t,
        del_grpoffsets: *mut *mut DeleteConsumerGroupOffsets,
        del_grpoffsets_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        result: *const DeleteConsumerGroupOffsets_result,
        cntp: *mut usize,
    ) -> *mut *const group_result;
    pub fn rd_kafka_ScramCredentialInfo_mechanism(
        scram_credential_info: *const ScramCredentialInfo,
    ) -> c_int;
    pub fn rd_kafka_ScramCredentialInfo_iterations(
        scram_credential_info: *const ScramCredentialInfo,
    ) -> i32;
    pub fn rd_kafka_UserScramCredentialsDescription_user(
        description: *const UserScramCredentialsDescription,
    ) -> *const c_char;
    pub fn rd_kafka_UserScramCredentialsDescription_error(
        description: *const UserScramCredentialsDescription,
    ) -> *const rd_kafka_error_t;
    pub fn rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(
        description: *const UserScramCredentialsDescription,
    ) -> usize;
    pub fn rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(
        description: *const UserScramCredentialsDescription,
        idx: usize,
    ) -> *const ScramCredentialInfo;
    pub fn rd_kafka_DescribeUserScramCredentials_result_descriptions(
        result: *const DescribeUserScramCredentials_result,
        cntp: *mut usize,
    ) -> *mut *const UserScramCredentialsDescription;
    pub fn rd_kafka_DescribeUserScramCredentials(
        rk: *mut rd_kafka_t,
        users: *mut *const c_char,
        user_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_UserScramCredentialUpsertion_new(
        username: *const c_char,
        mechanism: c_int,
        iterations: i32,
        password: *const u8,
        password_size: usize,
        salt: *const u8,
        salt_size: usize,
    ) -> *mut UserScramCredentialAlteration;
    pub fn rd_kafka_UserScramCredentialDeletion_new(
        username: *const c_char,
        mechanism: c_int,
    ) -> *mut UserScramCredentialAlteration;
    pub fn rd_kafka_UserScramCredentialAlteration_destroy(
        alteration: *mut UserScramCredentialAlteration,
    );
    pub fn rd_kafka_AlterUserScramCredentials_result_response_user(
        response: *const AlterUserScramCredentials_result_response,
    ) -> *const c_char;
    pub fn rd_kafka_AlterUserScramCredentials_result_response_error(
        response: *const AlterUserScramCredentials_result_response,
    ) -> *const rd_kafka_error_t;
    pub fn rd_kafka_AlterUserScramCredentials_result_responses(
        result: *const AlterUserScramCredentials_result,
        cntp: *mut usize,
    ) -> *mut *const AlterUserScramCredentials_result_response;
    pub fn rd_kafka_AlterUserScramCredentials(
        rk: *mut rd_kafka_t,
        alterations: *mut *mut UserScramCredentialAlteration,
        alteration_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_acl_result_error(aclres: *const acl_result) -> *const rd_kafka_error_t;
    pub fn rd_kafka_AclBinding_new(
        restype: c_int,
        name: *const c_char,
        resource_pattern_type: c_int,
        principal: *const c_char,
        host: *const c_char,
        operation: c_int,
        permission_type: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut AclBinding;
    pub fn rd_kafka_AclBindingFilter_new(
        restype: c_int,
        name: *const c_char,
        resource_pattern_type: c_int,
        principal: *const c_char,
        host: *const c_char,
        operation: c_int,
        permission_type: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> *mut AclBinding;
    pub fn rd_kafka_AclBinding_restype(acl: *const AclBinding) -> c_int;
    pub fn rd_kafka_AclBinding_name(acl: *const AclBinding) -> *const c_char;
    pub fn rd_kafka_AclBinding_principal(acl: *const AclBinding) -> *const c_char;
    pub fn rd_kafka_AclBinding_host(acl: *const AclBinding) -> *const c_char;
    pub fn rd_kafka_AclBinding_operation(acl: *const AclBinding) -> c_int;
    pub fn rd_kafka_AclBinding_permission_type(acl: *const AclBinding) -> c_int;
    pub fn rd_kafka_AclBinding_resource_pattern_type(acl: *const AclBinding) -> c_int;
    pub fn rd_kafka_AclBinding_destroy(acl_binding: *mut AclBinding);
    pub fn rd_kafka_CreateAcls_result_acls(
        result: *const CreateAcls_result,
        cntp: *mut usize,
    ) -> *mut *const acl_result;
    pub fn rd_kafka_CreateAcls(
        rk: *mut rd_kafka_t,
        new_acls: *mut *mut AclBinding,
        new_acls_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DescribeAcls_result_acls(
        result: *const DescribeAcls_result,
        cntp: *mut usize,
    ) -> *mut *const AclBinding;
    pub fn rd_kafka_DescribeAcls(
        rk: *mut rd_kafka_t,
        acl_filter: *mut AclBinding,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_DeleteAcls_result_responses(
        result: *const DeleteAcls_result,
        cntp: *mut usize,
    ) -> *mut *const DeleteAcls_result_response;
    pub fn rd_kafka_DeleteAcls_result_response_error(
        result_response: *const DeleteAcls_result_response,
    ) -> *const rd_kafka_error_t;
    pub fn rd_kafka_DeleteAcls_result_response_matching_acls(
        result_response: *const DeleteAcls_result_response,
        matching_acls_cntp: *mut usize,
    ) -> *mut *const AclBinding;
    pub fn rd_kafka_DeleteAcls(
        rk: *mut rd_kafka_t,
        del_acls: *mut *mut AclBinding,
        del_acls_cnt: usize,
        options: *const AdminOptions,
        rkqu: *mut rd_kafka_queue_t,
    );
    pub fn rd_kafka_event_ListConsumerGroups_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const ListConsumerGroups_result;
    pub fn rd_kafka_event_DescribeConsumerGroups_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeConsumerGroups_result;
    pub fn rd_kafka_event_DeleteGroups_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DeleteGroups_result;
    pub fn rd_kafka_event_DeleteConsumerGroupOffsets_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DeleteConsumerGroupOffsets_result;
    pub fn rd_kafka_event_CreateAcls_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const CreateAcls_result;
    pub fn rd_kafka_event_DescribeAcls_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeAcls_result;
    pub fn rd_kafka_event_DeleteAcls_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DeleteAcls_result;
    pub fn rd_kafka_event_ListConsumerGroupOffsets_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const ListConsumerGroupOffsets_result;
    pub fn rd_kafka_event_AlterConsumerGroupOffsets_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const AlterConsumerGroupOffsets_result;
    pub fn rd_kafka_event_DescribeUserScramCredentials_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const DescribeUserScramCredentials_result;
    pub fn rd_kafka_event_AlterUserScramCredentials_result(
        rkev: *mut rd_kafka_event_t,
    ) -> *const AlterUserScramCredentials_result;
}
