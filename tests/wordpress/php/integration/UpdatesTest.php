<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Boot\LazyHooks;
use Tillsync\Bridge\Updates\ReleaseKeys;
use Tillsync\Bridge\Updates\UpdateHealth;

require_once __DIR__ . '/BridgeTestCase.php';

/** Covers updates: what WordPress is offered, what it asks wordpress.org, and what is refused. */
final class UpdatesTest extends BridgeTestCase {

	private const FILE = 'tillsync-bridge/tillsync-bridge.php';
	private const URI  = 'https://tillsync.invalid/bridge';

	private string $pair;
	private string $zip = 'the bytes of a zip';
	/** @var string[] Raw public keys in the plugin. */
	private array $keys;
	/** @var array<int, array<string, mixed>> Bodies of questions to wordpress.org. */
	private array $asked = array();
	/** @var array<string, mixed> wordpress.org's answer. */
	private array $answer = array( 'plugins' => array(), 'translations' => array(), 'no_update' => array() );

	protected function setUp(): void {
		parent::setUp();
		require_once ABSPATH . 'wp-admin/includes/plugin.php';
		require_once ABSPATH . 'wp-admin/includes/file.php';
		require_once ABSPATH . 'wp-admin/includes/update.php';
		$this->pair = sodium_crypto_sign_keypair();
		$this->keys = array( sodium_crypto_sign_publickey( $this->pair ) );
		$this->services->set(
			ReleaseKeys::class,
			new class( fn() => $this->keys ) extends ReleaseKeys {
				public function __construct( private \Closure $keys ) {}
				public function all(): array {
					return ( $this->keys )();
				}
			}
		);
		foreach ( array( 'update_plugins_tillsync.invalid', 'http_request_args', 'pre_set_site_transient_update_plugins', 'site_transient_update_plugins', 'plugins_api', 'upgrader_pre_download', 'upgrader_source_selection' ) as $hook ) {
			remove_all_filters( $hook );
		}
		( new \ReflectionMethod( EveryRequest::class, 'add_updates' ) )->invoke( null, new LazyHooks( $this->services ) );
		add_filter( 'pre_http_request', fn( $reply, $arguments, $url ) => str_contains( $url, 'api.wordpress.org' ) ? $this->wordpress_org( $arguments ) : $reply, 5, 3 );
		delete_site_transient( 'update_plugins' );
	}

	/** @return array<string, mixed> */
	private function wordpress_org( array $arguments ): array {
		$this->asked[] = array( 'plugins' => json_decode( $arguments['body']['plugins'], true ), 'translations' => $arguments['body']['translations'] );
		return array( 'headers' => array(), 'body' => (string) json_encode( $this->answer ), 'response' => array( 'code' => 200, 'message' => '' ), 'cookies' => array(), 'filename' => null );
	}

	/** @param array<string, mixed> $changes */
	private function manifest( array $changes = array() ): string {
		return (string) json_encode( $changes + array( 'format' => 1, 'plugin' => 'tillsync-bridge', 'version' => '99.4.0', 'requires' => '6.1', 'requires_php' => '8.2', 'tested' => '6.9', 'sha256' => hash( 'sha256', $this->zip ), 'size' => strlen( $this->zip ), 'published' => '2026-05-04T03:02:01Z', 'changelog' => '* <b>New</b>' ) );
	}

	/** @param array<string, mixed> $changes Of the manifest. */
	private function release( array $changes = array(), string $version = '99.4.0', ?string $pair = null ): void {
		$manifest  = $this->manifest( $changes );
		$signature = sodium_crypto_sign_detached( $manifest, sodium_crypto_sign_secretkey( $pair ?? $this->pair ) );
		$this->service->script( 'GetBridgeUpdate', array( 'version' => $version, 'manifest' => base64_encode( $manifest ), 'signatures' => array( base64_encode( str_repeat( 'x', 64 ) ), base64_encode( $signature ) ) ) );
		$this->service->script( 'ReadBridgePackage', fn( array $message ) => array( 'data' => base64_encode( substr( $this->zip, (int) $message['offset'], 7 ) ) ) );
	}

	/** @return array<string, mixed>|null What WordPress offers after it looked for updates. */
	private function offered( string $list = 'response' ): ?array {
		delete_site_transient( 'update_plugins' );
		wp_update_plugins();
		$found = get_site_transient( 'update_plugins' );
		$this->assertIsObject( $found );
		return isset( $found->$list[ self::FILE ] ) ? (array) $found->$list[ self::FILE ] : null;
	}

	/** @return array<string, mixed> */
	private function health(): array {
		return $this->services->get( UpdateHealth::class )->result();
	}

	/** @return mixed */
	private function downloaded( string $version = '99.4.0' ) {
		return apply_filters( 'upgrader_pre_download', false, self::URI . "/tillsync-bridge-{$version}.zip", null, array( 'plugin' => self::FILE ) );
	}

	/** @group catches:wordpress-org-is-not-asked-for-the-plugin */
	public function test_a_signed_release_is_offered_and_wordpress_org_is_not_asked_for_the_plugin(): void {
		$this->connect();
		$this->release();
		$offer = $this->offered();
		$this->assertSame( array( '99.4.0', self::URI, 'tillsync-bridge' ), array( $offer['new_version'], $offer['id'], $offer['slug'] ) );
		$this->assertSame( self::URI . '/tillsync-bridge-99.4.0.zip', $offer['package'] );
		$this->assertSame( array( array( 'bridgeVersion' => \Tillsync\Bridge\VERSION, 'accountId' => 'corner-shop' ) ), $this->service->messages( 'GetBridgeUpdate' ) );
		$this->assertNotSame( array(), $this->asked );
		foreach ( $this->asked as $asked ) {
			$this->assertArrayHasKey( 'woocommerce/woocommerce.php', $asked['plugins']['plugins'] );
			$this->assertStringNotContainsString( 'tillsync', (string) json_encode( $asked ) );
			$this->assertTrue( array_is_list( $asked['plugins']['active'] ) );
			$this->assertContains( 'woocommerce/woocommerce.php', $asked['plugins']['active'] );
		}
		$this->assertSame( 'recommended', $this->health()['status'] );
		$this->assertStringContainsString( '99.4.0', $this->health()['label'] );
	}

	public function test_wordpress_itself_would_ask_for_the_plugin(): void {
		remove_all_filters( 'http_request_args' );
		$this->offered();
		$this->assertArrayHasKey( self::FILE, $this->asked[0]['plugins']['plugins'], 'otherwise the filter is not needed' );
	}

	/** @group catches:foreign-updates-are-dropped */
	public function test_an_answer_of_wordpress_org_about_the_plugin_is_dropped(): void {
		$this->connect();
		$this->release();
		$foreign = array( 'id' => 'w.org/plugins/tillsync-bridge', 'slug' => 'tillsync-bridge', 'plugin' => self::FILE, 'new_version' => '999.0.0', 'package' => 'https://downloads.wordpress.org/plugin/tillsync-bridge.zip' );
		$this->answer = array( 'plugins' => array( self::FILE => $foreign ), 'translations' => array( array( 'type' => 'plugin', 'slug' => 'tillsync-bridge', 'language' => 'de_DE' ), array( 'type' => 'plugin', 'slug' => 'other', 'language' => 'de_DE' ) ), 'no_update' => array() );
		$this->assertNull( $this->offered() );
		$this->assertSame( array( 'other' ), array_column( get_site_transient( 'update_plugins' )->translations, 'slug' ) );
	}

	public function test_without_a_connection_or_a_key_nothing_is_offered_or_asked(): void {
		$this->release();
		$this->assertNull( $this->offered() );
		$this->assertStringContainsString( 'not connected', $this->health()['description'] );
		$this->connect( 'https://elsewhere.example.test' );
		$this->assertNull( $this->offered(), 'a copy gets no updates' );
		$this->connect();
		$this->keys = array();
		$this->assertNull( $this->offered() );
		$this->assertNull( $this->offered( 'no_update' ) );
		$this->assertSame( 'recommended', $this->health()['status'] );
		$this->assertStringContainsString( 'built without a public key', $this->health()['description'] );
		$this->assertInstanceOf( \WP_Error::class, $this->downloaded() );
		$this->assertSame( array(), $this->service->messages( 'GetBridgeUpdate' ) );
	}

	public function test_without_a_newer_release_the_plugin_is_listed_as_current(): void {
		$this->connect();
		$this->assertNull( $this->offered() );
		$this->assertSame( \Tillsync\Bridge\VERSION, $this->offered( 'no_update' )['new_version'] );
		$this->assertSame( 'good', $this->health()['status'] );
		$this->service->script( 'GetBridgeUpdate', FakeService::error( 404, 'unimplemented' ) );
		$this->assertNull( $this->offered() );
		$this->assertSame( 'good', $this->health()['status'], 'an earlier service offers no updates' );
	}

	/** @return array<string, array{array<string, mixed>, string, bool, string}> Changes of the manifest, offered version, whether a foreign key signs, and the sentence. */
	public static function refused(): array {
		return array(
			'a foreign key'    => array( array(), '99.4.0', true, 'none of the keys in this plugin has signed it' ),
			'an old version'   => array( array( 'version' => '0.0.1' ), '0.0.1', false, 'it is not newer than the installed' ),
			'the same version' => array( array( 'version' => \Tillsync\Bridge\VERSION ), \Tillsync\Bridge\VERSION, false, 'it is not newer than the installed' ),
			'another version'  => array( array(), '99.5.0', false, 'it is not newer than the installed' ),
			'another plugin'   => array( array( 'plugin' => 'other' ), '99.4.0', false, 'this version cannot read' ),
			'a later form'     => array( array( 'format' => 2 ), '99.4.0', false, 'this version cannot read' ),
			'no sum'           => array( array( 'sha256' => '' ), '99.4.0', false, 'incomplete manifest' ),
			'too large'        => array( array( 'size' => 17 * 1024 * 1024 ), '99.4.0', false, 'incomplete manifest' ),
		);
	}

	/**
	 * @dataProvider refused
	 * @group catches:only-signed-releases-are-installed
	 * @group catches:no-release-replaces-a-newer-one
	 * @param array<string, mixed> $changes
	 */
	public function test_a_wrong_release_is_not_offered_and_site_health_says_why( array $changes, string $version, bool $is_foreign, string $sentence ): void {
		$this->connect();
		$this->release( $changes, $version, $is_foreign ? sodium_crypto_sign_keypair() : null );
		$this->assertNull( $this->offered() );
		$this->assertSame( 'critical', $this->health()['status'] );
		$this->assertStringContainsString( $sentence, $this->health()['description'] );
		$error = $this->downloaded( $version );
		$this->assertInstanceOf( \WP_Error::class, $error );
		$this->assertStringContainsString( $sentence, $error->get_error_message() );
		$this->assertSame( array(), $this->service->messages( 'ReadBridgePackage' ) );
	}

	public function test_a_second_key_signs_too(): void {
		$this->connect();
		$this->keys = array( sodium_crypto_sign_publickey( sodium_crypto_sign_keypair() ), ...$this->keys );
		$this->release();
		$this->assertSame( '99.4.0', $this->offered()['new_version'] );
	}

	public function test_the_zip_is_downloaded_in_pieces_and_compared(): void {
		$this->connect();
		$this->release();
		$path = $this->downloaded();
		$this->assertIsString( $path );
		$this->assertSame( $this->zip, file_get_contents( $path ) );
		unlink( $path );
		$this->assertSame( array( '0', '7', '14' ), array_column( $this->service->messages( 'ReadBridgePackage' ), 'offset' ) );
		$this->assertSame( 'https://example.test/other.zip', apply_filters( 'upgrader_pre_download', 'https://example.test/other.zip', 'https://example.test/other.zip', null, array() ), 'packages of others are left alone' );
	}

	/** @return array<string, array{string}> */
	public static function zips(): array {
		return array( 'other bytes' => array( 'the bytes of a ZIP' ), 'too short' => array( 'the bytes' ), 'too long' => array( 'the bytes of a zip and more' ), 'nothing' => array( '' ) );
	}

	/**
	 * @dataProvider zips
	 * @group catches:the-zip-is-the-signed-one
	 */
	public function test_another_zip_is_refused_and_deleted( string $zip ): void {
		$this->connect();
		$this->release();
		$this->zip = $zip;
		$before    = glob( get_temp_dir() . 'tillsync-bridge*' );
		$error     = $this->downloaded();
		$this->assertInstanceOf( \WP_Error::class, $error );
		$this->assertStringContainsString( 'the downloaded zip is not the signed one', $error->get_error_message() );
		$this->assertSame( $before, glob( get_temp_dir() . 'tillsync-bridge*' ) );
		$this->assertSame( 'critical', $this->health()['status'] );
	}

	public function test_a_version_that_is_not_offered_any_more_is_not_downloaded(): void {
		$this->connect();
		$this->release();
		$error = $this->downloaded( '99.3.0' );
		$this->assertInstanceOf( \WP_Error::class, $error );
		$this->assertStringContainsString( 'does not offer this version any more', $error->get_error_message() );
	}

	public function test_a_package_for_another_folder_is_refused(): void {
		$folder = get_temp_dir() . 'unpacked-' . wp_generate_password( 8, false );
		foreach ( array( 'tillsync-bridge', 'other' ) as $name ) {
			wp_mkdir_p( "{$folder}/{$name}" );
			file_put_contents( "{$folder}/{$name}/tillsync-bridge.php", '<?php' );
		}
		$select = static fn( string $name, string $plugin ) => apply_filters( 'upgrader_source_selection', "{$folder}/{$name}/", $folder, null, array( 'plugin' => $plugin ) );
		$this->assertSame( "{$folder}/tillsync-bridge/", $select( 'tillsync-bridge', self::FILE ) );
		$this->assertInstanceOf( \WP_Error::class, $select( 'other', self::FILE ) );
		$this->assertSame( "{$folder}/other/", $select( 'other', 'other/other.php' ) );
	}

	public function test_view_details_shows_the_service_s_changelog_as_text(): void {
		$this->connect();
		$this->release();
		require_once ABSPATH . 'wp-admin/includes/plugin-install.php';
		$information = plugins_api( 'plugin_information', array( 'slug' => 'tillsync-bridge' ) );
		$this->assertSame( '99.4.0', $information->version );
		$this->assertStringContainsString( '&lt;b&gt;New', $information->sections['changelog'] );
		$this->assertSame( array(), $this->asked );
	}

	public function test_a_service_that_does_not_answer_is_named(): void {
		$this->connect();
		$this->service->script( 'GetBridgeUpdate', FakeService::error( 401, 'unauthenticated', 'unknown token' ) );
		$this->assertNull( $this->offered() );
		$this->assertSame( 'critical', $this->health()['status'] );
		$this->assertStringContainsString( 'unknown token', $this->health()['description'] );
	}
}
