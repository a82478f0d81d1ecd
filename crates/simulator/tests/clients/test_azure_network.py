"""Networks, security groups, addresses, interfaces and load balancers, by azure-mgmt-network."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import (OTHER_PLACE, PLACE, account, azure, error, group, make_interface, make_machine,  # noqa: F401
                       make_network)


def network(*subnets, prefixes=("10.30.0.0/16",), **more):
    return {"location": PLACE, "properties": {
        "addressSpace": {"addressPrefixes": list(prefixes)},
        "subnets": [{"name": f"s{n}", "properties": {"addressPrefix": prefix}} for n, prefix in enumerate(subnets)]},
        **more}


def test_a_network_and_its_subnets(azure, group):
    networks, subnets = azure.network.virtual_networks, azure.network.subnets
    made = networks.begin_create_or_update(group, "Net", network("10.30.0.0/24"), polling=False).result()
    assert made.properties.provisioning_state == "Creating"
    azure.control.advance(10)
    got = networks.get(group, "net")
    assert (got.name, got.properties.provisioning_state, len(got.properties.subnets)) == ("Net", "Succeeded", 1)
    more = subnets.begin_create_or_update(group, "net", "Late", {"properties": {"addressPrefix": "10.30.9.0/24"}}).result()
    assert more.id == azure.path(group, "Microsoft.Network/virtualNetworks", "Net") + "/subnets/Late"
    assert {one.name for one in subnets.list(group, "net")} == {"s0", "Late"}
    assert subnets.get(group, "net", "late").properties.address_prefix == "10.30.9.0/24"
    assert networks.update_tags(group, "net", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert [one.name for one in networks.list(group)] == ["Net"]
    assert {"Net", "main"} <= {one.name for one in networks.list_all()}
    subnets.begin_delete(group, "net", "late").result()
    with pytest.raises(ResourceNotFoundError):
        subnets.get(group, "net", "late")
    networks.begin_delete(group, "net").result()
    with pytest.raises(ResourceNotFoundError):
        networks.get(group, "net")
    assert networks.begin_delete(group, "net").result() is None


@pytest.mark.parametrize("body, code", [
    (network("10.31.0.0/24"), "NetcfgInvalidSubnet"),
    (network("10.30.0.0/24", "10.30.0.128/25"), "NetcfgSubnetRangesOverlap"),
    (network("10.30.0.1/24"), "InvalidAddressPrefixFormat"),
    (network(prefixes=()), "AddressSpaceEmpty"),
    ({**network(), "location": "atlantis"}, "LocationNotAvailableForResourceType"),
    ({"location": PLACE, "properties": {"addressSpace": {"prefixes": []}}}, "InvalidRequestFormat"),
])
def test_a_wrong_network_is_refused(azure, group, body, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.network.virtual_networks.begin_create_or_update(group, "net", body)
    assert error(raised) == (400, code)


def test_a_network_in_use_stays(azure, group):
    subnet = make_network(azure, group)
    make_interface(azure, group, "nic", subnet)
    for delete in (lambda: azure.network.virtual_networks.begin_delete(group, "net"),
                   lambda: azure.network.subnets.begin_delete(group, "net", "one"),
                   lambda: azure.network.virtual_networks.begin_create_or_update(
                       group, "net", network(prefixes=("10.20.0.0/16",)))):
        with pytest.raises(HttpResponseError) as raised:
            delete()
        assert error(raised) == (400, "InUseSubnetCannotBeDeleted")
    azure.network.network_interfaces.begin_delete(group, "nic").result()
    azure.network.virtual_networks.begin_delete(group, "net").result()


def test_security_groups(azure, group):
    groups = azure.network.network_security_groups
    rule = lambda name, priority: {"name": name, "properties": {
        "priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": "*",
        "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "443"}}
    body = lambda *rules: {"location": PLACE, "properties": {"securityRules": list(rules)}}
    made = groups.begin_create_or_update(group, "Nsg", body(rule("https", 100))).result()
    assert (len(made.properties.security_rules), len(made.properties.default_security_rules)) == (1, 6)
    for rules, code in (((rule("a", 100), rule("b", 100)), "SecurityRuleConflict"),
                        ((rule("a", 99),), "SecurityRuleInvalidPriority")):
        with pytest.raises(HttpResponseError) as raised:
            groups.begin_create_or_update(group, "nsg", body(*rules))
        assert error(raised) == (400, code)
    subnet = make_network(azure, group)
    make_interface(azure, group, "nic", subnet, networkSecurityGroup={"id": made.id})
    with pytest.raises(HttpResponseError) as raised:
        groups.begin_delete(group, "nsg")
    assert error(raised) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    assert groups.update_tags(group, "nsg", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert groups.get(group, "nsg").name == "Nsg"
    assert [one.name for one in groups.list(group)] == ["Nsg"] and list(groups.list_all())
    azure.network.network_interfaces.begin_delete(group, "nic").result()
    groups.begin_delete(group, "nsg").result()


def test_addresses_and_interfaces(azure, group):
    addresses, interfaces = azure.network.public_ip_addresses, azure.network.network_interfaces
    subnet = make_network(azure, group)
    public = addresses.begin_create_or_update(group, "Ip", {
        "location": PLACE, "sku": {"name": "Standard"}, "zones": ["1", "2"],
        "properties": {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "orangery"}}}).result()
    assert public.properties.ip_address and public.properties.dns_settings.fqdn == "orangery.westeurope.cloudapp.azure.com"
    body = lambda **ip: {"location": PLACE, "properties": {"ipConfigurations": [
        {"name": "primary", "properties": {"subnet": {"id": subnet}, **ip}}]}}
    one = interfaces.begin_create_or_update(group, "One", body(publicIPAddress={"id": public.id})).result()
    configuration = one.properties.ip_configurations[0]
    assert configuration.properties.private_ip_address == "10.20.1.4"
    assert addresses.get(group, "ip").properties.ip_configuration.id == configuration.id
    two = interfaces.begin_create_or_update(
        group, "two", body(privateIPAllocationMethod="Static", privateIPAddress="10.20.1.77")).result()
    assert two.properties.ip_configurations[0].properties.private_ip_address == "10.20.1.77"
    for ip, code in (
            ({"privateIPAllocationMethod": "Static", "privateIPAddress": "10.20.1.77"}, "PrivateIPAddressIsAllocated"),
            ({"privateIPAllocationMethod": "Static", "privateIPAddress": "10.99.1.7"}, "PrivateIPAddressNotInSubnet"),
            ({"publicIPAddress": {"id": public.id}}, "PublicIPAddressInUse"),
            ({"publicIPAddress": {"id": public.id + "x"}}, "InvalidResourceReference"),
            ({"subnet": {"id": subnet + "x"}}, "InvalidResourceReference"),
            ({"subnet": None}, "InvalidRequestFormat")):
        with pytest.raises(HttpResponseError) as raised:
            interfaces.begin_create_or_update(group, "three", body(**ip))
        assert error(raised) == (400, code), ip
    again = interfaces.begin_create_or_update(group, "one", body(publicIPAddress={"id": public.id})).result()
    assert again.properties.ip_configurations[0].properties.private_ip_address == "10.20.1.4"
    with pytest.raises(HttpResponseError) as raised:
        addresses.begin_delete(group, "ip")
    assert error(raised) == (400, "PublicIPAddressCannotBeDeleted")
    assert interfaces.update_tags(group, "one", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert interfaces.get(group, "one").name == "One"
    assert {one.name for one in interfaces.list(group)} == {"One", "two"} and list(interfaces.list_all())
    interfaces.begin_delete(group, "one").result()
    assert addresses.get(group, "ip").properties.ip_configuration is None
    assert addresses.update_tags(group, "ip", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert [one.name for one in addresses.list(group)] == ["Ip"] and list(addresses.list_all())
    addresses.begin_delete(group, "ip").result()
    with pytest.raises(HttpResponseError) as raised:
        addresses.begin_create_or_update(group, "ip", {
            "location": PLACE, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Dynamic"}})
    assert error(raised) == (400, "StandardSkuPublicIPAddressesMustBeStatic")


def test_a_machine_keeps_its_interface(azure, group):
    make_machine(azure, group, "vm", make_network(azure, group))
    with pytest.raises(HttpResponseError) as raised:
        azure.network.network_interfaces.begin_delete(group, "vm-nic")
    assert error(raised) == (400, "NicInUse")


def test_a_full_subnet_gives_back_what_came_back(azure, group):
    azure.network.virtual_networks.begin_create_or_update(group, "small", network("10.30.0.0/29")).result()
    subnet = azure.path(group, "Microsoft.Network/virtualNetworks", "small") + "/subnets/s0"
    for n in range(3):
        make_interface(azure, group, f"nic{n}", subnet)
    with pytest.raises(HttpResponseError) as raised:
        make_interface(azure, group, "nic3", subnet)
    assert error(raised) == (400, "SubnetIsFull")
    azure.network.network_interfaces.begin_delete(group, "nic1").result()
    back = make_interface(azure, group, "nic3", subnet)
    assert back.properties.ip_configurations[0].properties.private_ip_address == "10.30.0.5"


def test_load_balancers(azure, group):
    balancers, interfaces = azure.network.load_balancers, azure.network.network_interfaces
    subnet = make_network(azure, group)
    public = azure.network.public_ip_addresses.begin_create_or_update(
        group, "ip", {"location": PLACE, "sku": {"name": "Standard"}}).result()
    own = azure.path(group, "Microsoft.Network/loadBalancers", "Lb")
    body = lambda frontend, pool="pool": {
        "location": PLACE, "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [{"name": "front", "properties": frontend}],
            "backendAddressPools": [{"name": "pool"}],
            "probes": [{"name": "probe", "properties": {"protocol": "Tcp", "port": 80, "intervalInSeconds": 5}}],
            "loadBalancingRules": [{"name": "rule", "properties": {
                "protocol": "Tcp", "frontendPort": 80, "backendPort": 80,
                "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/front"},
                "backendAddressPool": {"id": f"{own}/backendAddressPools/{pool}"},
                "probe": {"id": f"{own}/probes/probe"}}}],
        },
    }
    made = balancers.begin_create_or_update(group, "Lb", body({"publicIPAddress": {"id": public.id}})).result()
    pool = made.properties.backend_address_pools[0].id
    assert pool == f"{own}/backendAddressPools/pool"
    joined = {"location": PLACE, "properties": {"ipConfigurations": [{"name": "primary", "properties": {
        "subnet": {"id": subnet}, "loadBalancerBackendAddressPools": [{"id": pool.lower()}]}}]}}
    nic = interfaces.begin_create_or_update(group, "nic", joined).result()
    members = balancers.get(group, "lb").properties.backend_address_pools[0].properties.backend_ip_configurations
    assert [one.id for one in members] == [nic.properties.ip_configurations[0].id]
    with pytest.raises(HttpResponseError) as raised:
        balancers.begin_delete(group, "lb")
    assert error(raised) == (400, "LoadBalancerInUse")
    with pytest.raises(HttpResponseError) as raised:
        balancers.begin_create_or_update(group, "lb", body({"publicIPAddress": {"id": public.id}}, pool="other"))
    assert error(raised) == (400, "InvalidResourceReference")
    with pytest.raises(HttpResponseError) as raised:
        balancers.begin_create_or_update(group, "lb", body({}))
    assert error(raised) == (400, "FrontendIPConfigurationMustHaveAddress")
    assert balancers.update_tags(group, "lb", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert [one.name for one in balancers.list(group)] == ["Lb"]
    assert {"Lb", "front"} <= {one.name for one in balancers.list_all()}
    interfaces.begin_delete(group, "nic").result()
    assert not balancers.get(group, "lb").properties.backend_address_pools[0].properties.backend_ip_configurations
    inner = balancers.begin_create_or_update(group, "lb", body({"subnet": {"id": subnet}})).result()
    address = inner.properties.frontend_ip_configurations[0].properties.private_ip_address
    assert address.startswith("10.20.1.")
    assert azure.network.public_ip_addresses.get(group, "ip").properties.ip_configuration is None
    balancers.begin_delete(group, "lb").result()
    with pytest.raises(ResourceNotFoundError):
        balancers.get(group, "lb")


def test_a_resource_does_not_move(azure, group):
    make_network(azure, group)
    with pytest.raises(HttpResponseError) as raised:
        azure.network.virtual_networks.begin_create_or_update(group, "net", {**network(), "location": OTHER_PLACE})
    assert error(raised) == (409, "InvalidResourceLocation")


def test_usages(azure):
    usages = {usage.name.value: usage for usage in azure.network.usages.list(PLACE)}
    assert usages["NetworkInterfaces"].current_value >= 16
