<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectError;
use Tillsync\Bridge\Connection\ConnectString;
use Tillsync\Bridge\Connection\SiteIdentity;

require_once __DIR__ . '/../BridgeTestCase.php';

final class ConnectStringTest extends BridgeTestCase {
	private static function encoded( $content ): string {
		return 'tillsync1.' . rtrim( strtr( base64_encode( is_string( $content ) ? $content : (string) json_encode( $content ) ), '+/', '-_' ), '=' );
	}

	public function test_a_connect_string_broken_into_lines_is_read(): void {
		$text = self::encoded( array( 'url' => 'https://sync.example.test/base/', 'account_id' => 'corner-shop', 'token' => 'tok_1' ) );
		$read = ConnectString::parse( "  \n" . chunk_split( $text, 20, "\r\n " ) );
		$this->assertSame( array( 'https://sync.example.test/base', 'corner-shop', 'tok_1' ), array( $read->url, $read->account_id, $read->token ) );
	}

	public function test_plain_http_is_accepted_for_this_machine_only(): void {
		$this->assertSame( 'http://127.0.0.1:8080', ConnectString::parse( self::encoded( array( 'url' => 'http://127.0.0.1:8080', 'account_id' => 'a', 'token' => 't' ) ) )->url );
		$this->expectException( ConnectError::class );
		ConnectString::parse( self::encoded( array( 'url' => 'http://sync.example.test', 'account_id' => 'a', 'token' => 't' ) ) );
	}

	/** @dataProvider bad_strings */
	public function test_an_error_names_the_fault_and_never_quotes_the_string( string $text ): void {
		try {
			ConnectString::parse( $text );
			$this->fail( 'read all the same' );
		} catch ( ConnectError $error ) {
			$this->assertNotSame( '', $error->getMessage() );
			$this->assertStringNotContainsString( 'hidden-token', $error->getMessage() );
		}
	}

	public function bad_strings(): array {
		$good = array( 'url' => 'https://sync.example.test', 'account_id' => 'a', 'token' => 'hidden-token' );
		return array(
			'nothing'            => array( "  \n " ),
			'something else'     => array( 'hidden-token' ),
			'cut off'            => array( substr( self::encoded( $good ), 0, -8 ) ),
			'no base64'          => array( 'tillsync1.***' ),
			'no object'          => array( self::encoded( '"hidden-token"' ) ),
			'no token'           => array( self::encoded( array( 'token' => '' ) + $good ) ),
			'a header in it'     => array( self::encoded( array( 'token' => "hidden-token\r\nX: 1" ) + $good ) ),
			'a line ends it'     => array( self::encoded( array( 'token' => "hidden-token\n" ) + $good ) ),
			'account and a line' => array( self::encoded( array( 'account_id' => "a\n" ) + $good ) ),
			'a line in the url'  => array( self::encoded( array( 'url' => "https://sync.example.test/a\r\nb" ) + $good ) ),
			'token is a list'    => array( self::encoded( array( 'token' => array( 'hidden-token' ) ) + $good ) ),
			'account in capitals' => array( self::encoded( array( 'account_id' => 'A B' ) + $good ) ),
			'another scheme'     => array( self::encoded( array( 'url' => 'file:///etc/passwd' ) + $good ) ),
			'credentials in url' => array( self::encoded( array( 'url' => 'https://u:p@sync.example.test' ) + $good ) ),
			'a query'            => array( self::encoded( array( 'url' => 'https://sync.example.test/?a=' ) + $good ) ),
		);
	}

	public function test_a_dump_of_a_connect_string_shows_no_token(): void {
		$read = ConnectString::parse( self::encoded( array( 'url' => 'https://sync.example.test', 'account_id' => 'a', 'token' => 'hidden-token' ) ) );
		$this->assertStringNotContainsString( 'hidden-token', print_r( $read, true ) );
		$this->assertStringNotContainsString( self::SECRET, print_r( $this->connect(), true ) );
	}

	public function test_letter_case_and_a_trailing_slash_do_not_change_the_site(): void {
		$this->assertSame( 'https://shop.example.test/Path', SiteIdentity::normalised( ' HTTPS://Shop.Example.test/Path/ ' ) );
		$this->assertNotSame( SiteIdentity::normalised( 'https://shop.example.test' ), SiteIdentity::normalised( 'http://shop.example.test' ) );
	}
}
