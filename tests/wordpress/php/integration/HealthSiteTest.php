<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;

/** Covers Site Health and the debug information: each fault in one sentence, and no secret. */
final class HealthSiteTest extends SiteTestCase {

	private const TOKEN  = 'tls_token-that-nobody-may-see';
	private const SECRET = 'secret-that-nobody-may-see-0123456789abcdef';

	private Services $services;
	private ServiceClient $client_before;

	protected function setUp(): void {
		parent::setUp();
		$this->services      = Plugin::services();
		$this->client_before = $this->services->get( ServiceClient::class );
	}

	protected function tearDown(): void {
		$this->services->set( ServiceClient::class, $this->client_before );
		parent::tearDown();
	}

	private function connect( string $home = '' ): void {
		$this->services->get( ConnectionStore::class )->save( new Connection( 'https://sync.example.test', 'shop-1', self::TOKEN, self::SECRET, '' === $home ? (string) get_option( 'home' ) : $home, 'production', 1 ) );
	}

	/** @param array<string, mixed>|ServiceError $answer */
	private function script_service( $answer ): void {
		$this->services->set(
			ServiceClient::class,
			new class( $this->services, $answer ) extends ServiceClient {
				/** @param array<string, mixed>|ServiceError $answer */
				public function __construct( Services $services, private $answer ) {
					parent::__construct( $services->get( ServiceApi::class ), $services->get( CopyGuard::class ) );
				}
				public function call( string $service, string $method, array $message, int $timeout ): array {
					if ( $this->answer instanceof ServiceError ) {
						throw $this->answer;
					}
					return $this->answer;
				}
			}
		);
	}

	/** @return array<string, mixed> */
	private function result( string $name ): array {
		$tests  = apply_filters( 'site_status_tests', array( 'direct' => array(), 'async' => array() ) );
		$result = ( $tests['direct'][ "tillsync_{$name}" ]['test'] )();
		$this->assertSame( "tillsync_{$name}", $result['test'] );
		return $result;
	}

	/** @return array<string, mixed> */
	private function service_test_result(): array {
		wp_set_current_user( $this->user( 'administrator' ) );
		$tests = apply_filters( 'site_status_tests', array( 'direct' => array(), 'async' => array() ) );
		$this->assertTrue( $tests['async']['tillsync_service']['has_rest'] );
		$route = substr( wp_parse_url( $tests['async']['tillsync_service']['test'], PHP_URL_PATH ), strlen( '/wp-json' ) );
		return rest_do_request( new \WP_REST_Request( 'GET', $route ) )->get_data();
	}

	public function test_the_connection_result_is_critical_for_a_copy_and_for_a_refusal(): void {
		$this->assertSame( 'recommended', $this->result( 'connected' )['status'] );
		$this->connect( 'https://elsewhere.example.test' );
		$this->assertSame( 'critical', $this->result( 'connected' )['status'] );
		$this->connect();
		$this->assertSame( 'good', $this->result( 'connected' )['status'] );
		$this->services->get( OutboxPause::class )->pause( new ServiceError( 'unauthenticated', 401, 'unknown token' ) );
		$this->assertSame( 'critical', $this->result( 'connected' )['status'] );
		$this->assertStringContainsString( 'unknown token', $this->result( 'connected' )['description'] );
	}

	public function test_old_rows_missed_orders_and_overdue_cron_are_reported(): void {
		$this->connect();
		$this->assertSame( 'good', $this->result( 'outbox' )['status'] );
		$this->services->get( Outbox::class )->add( 5 );
		$this->assertSame( 'good', $this->result( 'outbox' )['status'] );
		$GLOBALS['wpdb']->query( "UPDATE {$this->services->get( Tables::class )->outbox()} SET created_at = created_at - 7300" );
		$this->assertSame( 'critical', $this->result( 'outbox' )['status'] );
		$this->assertStringContainsString( '2 hours', $this->result( 'outbox' )['label'] );
		$this->assertSame( 'good', $this->result( 'missed' )['status'] );
		update_option( 'tillsync_bridge_missed', 2, false );
		$this->assertSame( 'recommended', $this->result( 'missed' )['status'] );
		Schedule::ensure_cron();
		$this->assertSame( 'good', $this->result( 'cron' )['status'] );
		wp_clear_scheduled_hook( Schedule::MINUTE );
		$this->assertSame( 'critical', $this->result( 'cron' )['status'] );
		wp_schedule_event( time() - 1000, 'tillsync_bridge_minutely', Schedule::MINUTE );
		$this->assertSame( 'critical', $this->result( 'cron' )['status'], 'an event that is overdue is not run' );
	}

	public function test_the_service_test_reports_failed_steps_with_escaped_texts(): void {
		$this->assertSame( 'recommended', $this->service_test_result()['status'] );
		$this->connect();
		$this->script_service( new ServiceError( ServiceError::TRANSPORT, 0, 'not reached: DNS' ) );
		$this->assertSame( 'critical', $this->service_test_result()['status'] );
		$this->assertStringContainsString( 'not reached: DNS', $this->service_test_result()['description'] );
		$this->script_service( array( 'ok' => true, 'steps' => array( array( 'side' => 'SIDE_TILL', 'ok' => true, 'text' => 'fine' ) ) ) );
		$this->assertSame( 'good', $this->service_test_result()['status'] );
		$this->script_service( array( 'steps' => array( array( 'side' => 'SIDE_TILL', 'ok' => true, 'text' => 'fine' ), array( 'side' => 'SIDE_SHOP', 'text' => '<b>HTML</b> instead of JSON', 'remedy' => 'Look at the firewall.' ) ) ) );
		$this->assertSame( 'critical', $this->service_test_result()['status'] );
		$this->assertStringContainsString( '&lt;b&gt;HTML', $this->service_test_result()['description'] );
		$this->assertStringNotContainsString( 'fine', $this->service_test_result()['description'] );
	}

	public function test_debug_information_holds_no_secret_and_keeps_the_address_private(): void {
		$this->connect();
		$section = apply_filters( 'debug_information', array() )['tillsync-bridge'];
		$this->assertStringNotContainsString( self::TOKEN, (string) wp_json_encode( $section ) );
		$this->assertStringNotContainsString( self::SECRET, (string) wp_json_encode( $section ) );
		foreach ( array( 'url', 'account_id', 'token' ) as $name ) {
			$this->assertTrue( $section['fields'][ $name ]['private'] );
		}
		require_once ABSPATH . 'wp-admin/includes/class-wp-debug-data.php';
		$text = \WP_Debug_Data::format( array( 'tillsync-bridge' => $section ), 'debug' );
		$this->assertStringNotContainsString( 'sync.example.test', $text );
		$this->assertStringContainsString( 'waiting: 0', $text );
	}
}
