<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectError;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteIdentity;
use Tillsync\Bridge\Connection\SiteSettings;

require_once __DIR__ . '/../BridgeTestCase.php';

final class ConnectorTest extends BridgeTestCase {
	private const SETTINGS = array( 'customerSyncEnabled' => true, 'defaultEposCustomerId' => '12', 'matchEmail' => 'MATCH_EMAIL_BILLING' );

	private static function connect_string( string $account = 'corner-shop' ): string {
		return 'tillsync1.' . rtrim( strtr( base64_encode( (string) json_encode( array( 'url' => 'https://service.example.test', 'account_id' => $account, 'token' => 'token-of-tests' ) ) ), '+/', '-_' ), '=' );
	}

	private function connector(): Connector {
		return $this->services->get( Connector::class );
	}

	public function test_connecting_sends_the_shop_and_stores_the_services_settings(): void {
		$pending = null;
		$this->service->script(
			'ConnectShop',
			function ( array $message ) use ( &$pending ): array {
				// The real service calls the shop at this moment, signed with this secret.
				$pending = $this->services->get( ConnectionStore::class )->pending_secret();
				$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
				return array( 'accountName' => 'Corner Shop', 'settings' => self::SETTINGS, 'etag' => 'e1' );
			}
		);
		$connection = $this->connector()->connect( self::connect_string() );
		$sent       = $this->service->messages( 'ConnectShop' )[0];
		$this->assertSame( array( 'corner-shop', SiteIdentity::home_url(), rest_url(), $pending ), array( $sent['accountId'], $sent['baseUrl'], $sent['restUrl'], $sent['bridgeSecret'] ) );
		$this->assertMatchesRegularExpression( '/^[A-Za-z0-9_-]{43}$/', $connection->bridge_secret );
		$this->assertSame( $pending, $this->services->get( ConnectionStore::class )->current()->bridge_secret );
		$this->assertNull( $this->services->get( ConnectionStore::class )->pending_secret() );
		$this->assertSame( $this->clock->now, $connection->orders_since );
		$settings = $this->services->get( SiteSettings::class )->stored();
		$this->assertSame( array( true, '12', 'MATCH_EMAIL_BILLING', 'GUEST_POLICY_DEFAULT_CUSTOMER', false ), array( $settings['customerSyncEnabled'], $settings['defaultEposCustomerId'], $settings['matchEmail'], $settings['guestPolicy'], $settings['autoLink'] ) );
		$arguments = $this->service->calls[0]['arguments'];
		$this->assertSame( 'Bearer token-of-tests', $arguments['headers']['Authorization'] );
		$this->assertSame( 0, $arguments['redirection'] );
		$this->assertGreaterThanOrEqual( 60, $arguments['timeout'] );
	}

	public function test_a_refused_connect_changes_nothing(): void {
		$before = $this->connect();
		$this->service->script( 'ConnectShop', FakeService::error( 400, 'failed_precondition', 'the shop answers with a firewall page: allow /wp-json/' ) );
		try {
			$this->connector()->connect( self::connect_string() );
			$this->fail( 'connected all the same' );
		} catch ( ConnectError $error ) {
			$this->assertStringContainsString( 'firewall page', $error->getMessage() );
			$this->assertStringNotContainsString( 'token-of-tests', $error->getMessage() );
		}
		$this->assertEquals( $before, $this->services->get( ConnectionStore::class )->current() );
		$this->assertNull( $this->services->get( ConnectionStore::class )->pending_secret() );
	}

	public function test_reconnecting_to_the_same_account_rotates_the_secret_and_keeps_orders_since(): void {
		$before = $this->connect();
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$after = $this->connector()->connect( self::connect_string() );
		$this->assertNotSame( $before->bridge_secret, $after->bridge_secret );
		$this->assertSame( $before->orders_since, $after->orders_since );
		$other = $this->connector()->connect( self::connect_string( 'another-shop' ) );
		$this->assertSame( $this->clock->now, $other->orders_since );
	}

	public function test_the_active_flag_is_autoloaded_and_token_and_secret_are_not(): void {
		$this->connect();
		wp_cache_flush();
		$loaded = wp_load_alloptions();
		$this->assertArrayNotHasKey( ConnectionStore::CONNECTION, $loaded );
		$this->assertStringNotContainsString( self::SECRET, (string) json_encode( $loaded ) );
		$this->assertStringNotContainsString( 'token-of-tests', (string) json_encode( $loaded ) );
		$this->assertSame( '1', $loaded[ ConnectionStore::ACTIVE ] );
	}

	public function test_disconnecting_calls_the_service_first(): void {
		$this->connect();
		$this->service->script( 'DisconnectShop', new \WP_Error( 'http_request_failed', 'no route' ), array( 'tokenRevoked' => true ) );
		try {
			$this->connector()->disconnect();
			$this->fail( 'left without a word' );
		} catch ( ConnectError $error ) {
			$this->assertNotNull( $this->services->get( ConnectionStore::class )->current() );
		}
		$this->connector()->disconnect();
		$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
		$this->assertSame( '', get_option( ConnectionStore::ACTIVE ) );
	}

	public function test_disconnecting_with_a_revoked_token_succeeds(): void {
		$this->connect();
		$this->service->script( 'DisconnectShop', FakeService::error( 401, 'unauthenticated' ) );
		$this->connector()->disconnect();
		$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
	}

	public function test_a_shop_can_disconnect_while_the_service_is_unreachable(): void {
		$this->connect();
		$this->service->script( 'DisconnectShop', new \WP_Error( 'http_request_failed', 'no route' ) );
		$this->connector()->disconnect( true );
		$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
	}

	public function test_a_copy_sends_nothing_and_become_copy_forgets_the_connection(): void {
		$this->connect( 'https://live.example.test' );
		$order = $this->due_order();
		$this->advance( 31 );
		$this->assertSame( 'not_connected', $this->drain()->stopped_by );
		$this->assertTrue( $this->services->get( CopyGuard::class )->must_choose() );
		$this->assertSame( array(), $this->service->calls );
		$this->connector()->become_copy();
		$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
		$this->assertSame( 'https://live.example.test', $this->services->get( ConnectionStore::class )->copy_of() );
		$this->assertSame( 'closed', $this->row( $order->get_id() )->state );
		$this->assertSame( array(), $this->service->calls );
	}

	public function test_a_moved_shop_connects_with_its_new_address(): void {
		$before = $this->connect( 'https://live.example.test' );
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$after = $this->connector()->reconnect();
		$this->assertSame( SiteIdentity::home_url(), $after->home_url );
		$this->assertNotSame( $before->bridge_secret, $after->bridge_secret );
		$this->assertFalse( $this->services->get( CopyGuard::class )->must_choose() );
	}

	public function test_another_environment_type_makes_a_copy(): void {
		$this->connect( '', 'staging' );
		$this->assertTrue( $this->services->get( CopyGuard::class )->must_choose() );
		$this->assertNull( $this->services->get( CopyGuard::class )->usable() );
	}

	public function test_a_changed_setting_is_sent_with_its_mask_and_the_shown_etag(): void {
		$this->connect();
		$settings = $this->services->get( SiteSettings::class );
		$settings->store( array( 'settings' => self::SETTINGS, 'etag' => 'e1' ) );
		$this->service->script( 'UpdateSiteSettings', array( 'settings' => array(), 'etag' => 'e2', 'effect' => array( 'requeuedEntryCount' => 3 ) ) );
		$changes = $settings->changed_fields( array( 'customerSyncEnabled' => false, 'defaultEposCustomerId' => '12' ) );
		$this->assertSame( array( 'customerSyncEnabled' => false ), $changes );
		$this->assertSame( 3, $settings->change( $changes )['entries'] );
		$sent = $this->service->messages( 'UpdateSiteSettings' )[0];
		$this->assertSame( array( 'customerSyncEnabled', 'e1' ), array( $sent['updateMask'], $sent['etag'] ) );
		$this->assertArrayNotHasKey( 'validateOnly', $sent );
		$this->assertFalse( $settings->stored()['customerSyncEnabled'] );
		$settings->preview( array( 'customerSyncEnabled' => true ) );
		$this->assertTrue( $this->service->messages( 'UpdateSiteSettings' )[1]['validateOnly'] );
	}
}
